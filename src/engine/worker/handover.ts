/**
 * The queue of batches between the projection and one reactor. Its bound slows the projection, and with it writers,
 * when a reactor that holds a view falls behind.
 */

import { LIMITS } from '../../core/limits.ts'
import { COLLECTED_RECORDS_MAX } from './collector.ts'
import type { Projected } from './projected.ts'

export interface Handover {
  /** Events that wait in the queue or are taken and not yet done. */
  readonly events: number
  put(projected: Projected): void
  /** Resolves when there is room for another batch, and once the queue has ended. */
  room(): Promise<void>
  /**
   * Takes the oldest batch, together with batches of other partitions that wait right behind it, so that one call of
   * the reactor serves several partitions. Waits for a batch; `undefined` when the queue has ended and is empty.
   */
  take(): Promise<readonly Projected[] | undefined>
  /** The reactor has finished these batches. */
  done(taken: readonly Projected[]): void
  /** Drops batches of partitions that another process owns now. */
  drop(partitions: ReadonlySet<number>): void
  /** No more batches come; those that wait may still be taken. */
  end(): void
}

const EVENTS_MAX = 16 * LIMITS.workerBatchEvents

export function createHandover(): Handover {
  let waiting: Projected[] = []
  let events = 0
  let isOver = false
  let wakeTaker = () => {}
  let wakePutter = () => {}

  function othersBehind({ partition, events: own }: Projected): Projected[] {
    const others: Projected[] = []
    const partitions = new Set([partition])
    let count = own.length
    while (waiting.length > 0 && count < COLLECTED_RECORDS_MAX && !partitions.has(waiting[0].partition)) {
      const other = waiting.shift() as Projected
      partitions.add(other.partition)
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
      const isDropped = ({ partition }: Projected) => partitions.has(partition)
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
