/** Collects the batches that a consumer has ready, of several partitions, so that they can be projected together. */

import { LIMITS } from '../../core/limits.ts'
import type { Env } from '../../ports/env/env.ts'
import type { LogBatch, LogConsumer } from '../../ports/log/log.ts'

export const COLLECTED_RECORDS_MAX = 2 * LIMITS.workerBatchEvents

export interface Collector {
  /**
   * Waits for the next batch, and adds batches of other partitions that are ready by then. Resolves with `undefined` once
   * the consumer is closed.
   */
  collect(): Promise<LogBatch[] | undefined>
}

const NOT_YET = Symbol('not yet')

export function createCollector(env: Env, consumer: LogConsumer, partitions: number): Collector {
  /** The batch that the consumer was asked for and that no call has returned yet. */
  let coming: Promise<LogBatch | undefined> | undefined

  return {
    async collect() {
      const batches: LogBatch[] = []
      let records = 0
      while (batches.length < partitions && records < COLLECTED_RECORDS_MAX) {
        coming ??= consumer.next(LIMITS.workerBatchEvents)
        const soon = batches.length === 0 ? undefined : env.yield().then((): typeof NOT_YET => NOT_YET)
        const batch = await (soon === undefined ? coming : Promise.race([coming, soon]))
        if (batch === NOT_YET) break
        if (batch === undefined) return batches.length > 0 ? batches : undefined
        // A second batch of one partition is left to the next call.
        if (batches.some(({ partition }) => partition === batch.partition)) break
        coming = undefined
        records += batch.values.length
        batches.push(batch)
      }
      return batches
    },
  }
}
