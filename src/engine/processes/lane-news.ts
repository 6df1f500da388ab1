/** By partition, what a process has to tell of it beside how far it is projected. */

import type { Event } from '../events.ts'
import { tellDecision, type ToldDecision } from './decided.ts'
import type { LaneProgress } from './progress.ts'

export interface LaneNews {
  /** This process has appended a notice at this position: the horizon that is told leans on it. */
  notice(partition: number, position: number): void
  /** The projection passed over the event at this position. */
  skip(partition: number, position: number): void
  /** These were projected here: others learn what was decided on them. */
  projected(partition: number, events: readonly Event[]): void
  of(partition: number): Pick<LaneProgress, 'needs' | 'skipped'>
  decisions(partition: number): readonly ToldDecision[]
  /** The record stands in the log, and with it these decisions. */
  told(progress: LaneProgress, decisions: readonly ToldDecision[]): void
  /** Another process owns the partition now. */
  lost(partition: number): void
}

/** A partition; processes that are not told read decisions from the store. */
const DECISIONS_MAX = 50_000

export function createLaneNews(partitions: number): LaneNews {
  const noticesTo = new Array<number>(partitions).fill(0)
  const skipped: number[][] = Array.from({ length: partitions }, () => [])
  const decisions: ToldDecision[][] = Array.from({ length: partitions }, () => [])
  return {
    notice: (partition, position) =>
      void (noticesTo[partition] = Math.max(noticesTo[partition], position + 1)),
    skip: (partition, position) => void skipped[partition].push(position),
    of: (partition) => ({ needs: noticesTo[partition], skipped: [...skipped[partition]] }),
    projected(partition, events) {
      const list = decisions[partition]
      for (const event of events) {
        const told = tellDecision(event)
        if (told !== undefined) list.push(told)
      }
      if (list.length > DECISIONS_MAX) list.splice(0, list.length - DECISIONS_MAX)
    },
    decisions: (partition) => [...decisions[partition]],
    lost: (partition) => void (decisions[partition] = []),
    told({ partition, skipped: told }, toldDecisions) {
      if (toldDecisions.length > 0) {
        const isTold = new Set(toldDecisions)
        decisions[partition] = decisions[partition].filter((one) => !isTold.has(one))
      }
      skipped[partition] = skipped[partition].filter((position) => !told.includes(position))
    },
  }
}
