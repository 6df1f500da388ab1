/** By partition, what a process has to tell of it beside how far it is projected. */

import type { LaneProgress } from './progress.ts'

export interface LaneNews {
  /** This process has appended a notice at this position: the horizon that is told leans on it. */
  notice(partition: number, position: number): void
  /** The projection passed over the event at this position. */
  skip(partition: number, position: number): void
  of(partition: number): Pick<LaneProgress, 'needs' | 'skipped'>
  /** The record stands in the log. */
  told(progress: LaneProgress): void
}

export function createLaneNews(partitions: number): LaneNews {
  const noticesTo = new Array<number>(partitions).fill(0)
  const skipped: number[][] = Array.from({ length: partitions }, () => [])
  return {
    notice: (partition, position) =>
      void (noticesTo[partition] = Math.max(noticesTo[partition], position + 1)),
    skip: (partition, position) => void skipped[partition].push(position),
    of: (partition) => ({ needs: noticesTo[partition], skipped: [...skipped[partition]] }),
    told({ partition, skipped: told }) {
      skipped[partition] = skipped[partition].filter((position) => !told.includes(position))
    },
  }
}
