/**
 * How far a checkpoint of a partition may reach: never beyond the horizon that was published to the views. If views lose
 * later entries, their headers do not show it; so the next owner must read those events again and insert them again.
 */

export interface SavePoints {
  /** This process reads the partition from `position` on, and forgets what it knew of it. */
  begin(partition: number, position: number): void
  /** Reactors have handled every event below `next`. @param highestId of the events since the last call, 0 for none */
  reacted(partition: number, next: number, highestId: number): void
  /**
   * @param published the horizon of the partition in the views
   * @returns the position below which the partition may be saved as done
   */
  upTo(partition: number, published: number): number
}

interface Point {
  next: number
  highestId: number
}

const POINTS_MAX = 4_096

export function createSavePoints(partitions: number): SavePoints {
  const points: Point[][] = Array.from({ length: partitions }, () => [])
  const saved = new Array<number>(partitions).fill(0)
  return {
    begin(partition, position) {
      points[partition] = []
      saved[partition] = position
    },
    reacted(partition, next, highestId) {
      const list = points[partition]
      const last = list[list.length - 1]
      // No point of its own for ids that are not above the last point's, nor when there are too many points: the last
      // point moves instead.
      if (last !== undefined && (highestId <= last.highestId || list.length >= POINTS_MAX)) {
        last.next = next
        last.highestId = Math.max(last.highestId, highestId)
      } else list.push({ next, highestId })
    },
    upTo(partition, published) {
      const list = points[partition]
      while (list.length > 0 && list[0].highestId <= published)
        saved[partition] = (list.shift() as Point).next
      return saved[partition]
    },
  }
}
