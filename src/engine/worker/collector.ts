/** What a consumer has ready, of several partitions at once. */

import { LIMITS } from '../../core/limits.ts'
import type { Env } from '../../ports/env/env.ts'
import type { LogBatch, LogConsumer } from '../../ports/log/log.ts'

export const COLLECTED_RECORDS_MAX = 2 * LIMITS.workerBatchEvents

export interface Collector {
  /** The next batch, and what is there already of other partitions. Nothing once the consumer is closed. */
  collect(): Promise<LogBatch[] | undefined>
}

const NOT_YET = Symbol('not yet')

export function createCollector(env: Env, consumer: LogConsumer, partitions: number): Collector {
  /** Asked for already. */
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
        // More of the same partition is for the next time.
        if (batches.some(({ partition }) => partition === batch.partition)) break
        coming = undefined
        records += batch.values.length
        batches.push(batch)
      }
      return batches
    },
  }
}
