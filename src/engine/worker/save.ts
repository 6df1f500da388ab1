/** A checkpoint: makes rows durable, and with them the positions from which the log need not be read again. */

import type { Log } from '../../ports/log/log.ts'
import type { Store } from '../../ports/store/store.ts'
import type { Timers } from '../timers/timers.ts'
import type { Ownership } from './ownership.ts'
import type { Partitions } from './partitions.ts'
import type { Reactors } from './reactors.ts'
import type { Run } from './run.ts'

export interface SaveOptions {
  readonly log: Log
  readonly store: Store
  readonly ownership: Ownership
  readonly partitions: Partitions
  readonly reactors: Reactors
  readonly timers: Timers
  readonly retry: <T>(task: () => Promise<T>) => Promise<T>
  readonly run: Run
}

/** @returns a function that saves, and tells whether something could not be saved yet */
export function createSave(options: SaveOptions): () => Promise<boolean> {
  const { log, store, ownership, partitions, reactors, timers, retry, run } = options

  return async () => {
    const { owned } = partitions
    const reacted = Array.from({ length: log.partitions }, (_, partition) =>
      owned.has(partition) ? reactors.reactedTo(partition) : 0,
    )
    const positions = reacted.map((to, partition) =>
      owned.has(partition) ? ownership.savable(partition, to) : 0,
    )
    try {
      await retry(() => ownership.beforeCheckpoint())
      await retry(() => reactors.savePositions([...owned]))
      await retry(() => timers.save([...owned], (partition) => reacted[partition]))
      await retry(() => store.checkpoint(positions))
      // Reactors that hold only the log may be further behind than the rows.
      await log.release(positions.map((to, partition) => Math.min(to, reactors.neededFrom(partition))))
    } catch (error) {
      // While the worker ends it may go without a checkpoint: the next start only begins further back.
      if (!run.isOnlyEnding(error)) throw error
    }
    return reacted.some((to, partition) => positions[partition] < to)
  }
}
