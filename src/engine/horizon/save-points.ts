/**
 * How far a partition may be saved as done: only as far as the views have been told. What was inserted since could
 * be lost with them unseen; whoever owns the partition next makes it again, if it begins before that.
 */

export interface SavePoints {
  /** The partition is read from here on. */
  begin(partition: number, position: number): void
  /** Everything below `next` is reacted to; the highest id among it. */
  reacted(partition: number, next: number, highestId: number): void
  /** @param published what the views have been told of the partition */
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
      // Whose ids are no higher than those before it, or of which there are too many, is saved with them.
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
