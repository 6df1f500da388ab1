/**
 * The partitions of the log that this process owns, and how far each is projected. Partitions come and go while
 * processes share the work: a gained one is read from where this process's caches are, or from the last checkpoint; a
 * lost one may be worked on by two processes for a moment, which write the same rows and entries.
 */

import type { Log, LogBatch, LogConsumer } from '../../ports/log/log.ts'
import type { Store } from '../../ports/store/store.ts'
import type { Timers } from '../timers/timers.ts'
import type { Ownership } from './ownership.ts'
import type { Reactors } from './reactors.ts'

export interface Partitions {
  readonly owned: ReadonlySet<number>
  projectedTo(partition: number): number
  /** Everything below stood in the log when the partition was gained. */
  replayedTo(partition: number): number
  /** The batch continues what is projected of a partition that is owned. */
  isNext(batch: LogBatch): boolean
  advance(partition: number, next: number): void
  /** The group of readers has shared the partitions anew. */
  assign(partitions: readonly number[], consumer: () => LogConsumer | undefined): void
  /** Resolves when the partitions of the last assignment are gained. */
  gained(): Promise<void>
}

export interface PartitionsOptions {
  readonly log: Log
  readonly store: Store
  readonly ownership: Ownership
  readonly reactors: () => Reactors
  readonly timers: Timers
  readonly retry: <T>(task: () => Promise<T>) => Promise<T>
  readonly isStopped: () => boolean
  readonly onError: (error: unknown) => void
  readonly onGained: () => void
}

export function createPartitions(options: PartitionsOptions): Partitions {
  const { log, store, ownership, retry, isStopped } = options
  const owned = new Set<number>()
  const projectedTo = new Array<number>(log.partitions).fill(0)
  const replayedTo = new Array<number>(log.partitions).fill(0)
  /** By partition, a number of its assignment: a partition that went and came back has had another owner meanwhile. */
  let assigned: ReadonlyMap<number, number> = new Map()
  let assignments = 0
  let gaining: Promise<void> = Promise.resolve()

  async function gain(consumer: () => LogConsumer | undefined): Promise<void> {
    const given = assigned
    const fresh = new Set([...given.keys()].filter((partition) => !owned.has(partition)))
    if (fresh.size === 0 || isStopped()) return
    // The watermark is read before any record: whatever an earlier owner projects after this is then read again here.
    const watermark = await retry(() => store.watermark())
    const bounds = await retry(() => log.bounds())
    await retry(() => ownership.gained(fresh))
    const begins = new Map(
      [...fresh].map((partition) => {
        const { start, end } = bounds[partition]
        // A store without a watermark may have lost everything: positions that the group committed say nothing of it.
        const from = Math.max(ownership.startAt(partition, watermark[partition] ?? start), start)
        return [partition, { from, logEnd: end }] as const
      }),
    )
    await options.reactors().begin(begins)
    await retry(() => options.timers.begin([...fresh]))
    for (const [partition, { from, logEnd }] of begins) {
      // Lost meanwhile, perhaps to come back, or the process ends.
      if (assigned.get(partition) !== given.get(partition) || isStopped()) continue
      projectedTo[partition] = from
      replayedTo[partition] = logEnd
      owned.add(partition)
      ownership.owned(partition, from)
      await consumer()?.seek(partition, from)
    }
    options.reactors().begun()
    options.onGained()
  }

  return {
    owned,
    projectedTo: (partition) => projectedTo[partition],
    replayedTo: (partition) => replayedTo[partition],
    // Batches that come before the place to begin at is known are from somewhere else.
    isNext: ({ partition, from }) => owned.has(partition) && from <= projectedTo[partition],
    advance: (partition, next) => void (projectedTo[partition] = Math.max(projectedTo[partition], next)),
    assign(partitions, consumer) {
      const since = ++assignments
      assigned = new Map(partitions.map((partition) => [partition, assigned.get(partition) ?? since]))
      const lost = new Set([...owned].filter((partition) => !assigned.has(partition)))
      for (const partition of lost) owned.delete(partition)
      options.reactors().drop(lost)
      options.timers.drop(lost)
      if (lost.size > 0) ownership.lost(lost)
      gaining = gaining
        .then(() => gain(consumer))
        .catch((error: unknown) => {
          if (!isStopped()) options.onError(error)
        })
    },
    gained: () => gaining,
  }
}
