/**
 * What is projected and has still to be reacted to: it lies between the two halves of a worker, and its bound slows
 * the first when the second is behind.
 */

import { LIMITS } from '../../core/limits.ts'
import type { LogBatch } from '../../ports/log/log.ts'
import { COLLECTED_RECORDS_MAX } from './collector.ts'
import type { Event } from '../events.ts'

export interface Projected {
  readonly batch: LogBatch
  readonly events: readonly Event[]
}

export interface Handover {
  /** Events that wait, or are taken and not done. */
  readonly events: number
  put(projected: Projected): void
  /** Resolves when there is room for more, and at the end. */
  room(): Promise<void>
  /** The oldest, with those of other partitions behind it: what follows from them all is done at once. Nothing at the end. */
  take(): Promise<readonly Projected[] | undefined>
  done(taken: readonly Projected[]): void
  /** What waits of these partitions is another's to do. */
  drop(partitions: ReadonlySet<number>): void
  /** Nothing more comes; what waits may still be taken. */
  end(): void
}

const EVENTS_MAX = 16 * LIMITS.workerBatchEvents

export function createHandover(): Handover {
  let waiting: Projected[] = []
  let events = 0
  let isOver = false
  let wakeTaker = () => {}
  let wakePutter = () => {}

  function othersBehind({ batch, events: own }: Projected): Projected[] {
    const others: Projected[] = []
    const partitions = new Set([batch.partition])
    let count = own.length
    while (
      waiting.length > 0 &&
      count < COLLECTED_RECORDS_MAX &&
      !partitions.has(waiting[0].batch.partition)
    ) {
      const other = waiting.shift() as Projected
      partitions.add(other.batch.partition)
      count += other.events.length
      others.push(other)
    }
    return others
  }

  function forget(some: readonly Projected[]): void {
    for (const one of some) events -= one.events.length
    wakePutter()
  }

  return {
    get events() {
      return events
    },
    put(projected) {
      events += projected.events.length
      waiting.push(projected)
      wakeTaker()
    },
    async room() {
      while (events > EVENTS_MAX && !isOver) await new Promise<void>((resolve) => (wakePutter = resolve))
    },
    async take() {
      for (;;) {
        const next = waiting.shift()
        if (next !== undefined) return [next, ...othersBehind(next)]
        if (isOver) return undefined
        await new Promise<void>((resolve) => (wakeTaker = resolve))
      }
    },
    done: forget,
    drop(partitions) {
      const isDropped = ({ batch }: Projected) => partitions.has(batch.partition)
      forget(waiting.filter(isDropped))
      waiting = waiting.filter((one) => !isDropped(one))
    },
    end() {
      isOver = true
      wakeTaker()
      wakePutter()
    },
  }
}
