/**
 * Events of records that were projected before, for a reactor that missed them: without those that the projection
 * passed over, because they repeat a request or because they were buried.
 */

import { isRivuletError } from '../../core/errors.ts'
import type { Log, LogBatch } from '../../ports/log/log.ts'
import type { RowKey, Store } from '../../ports/store/store.ts'
import type { Event, EventDecoder } from '../events.ts'
import { isProgress } from '../processes/progress.ts'
import { isRepeat, requestKey } from '../rows/idempotency.ts'
import { deadLettersTable } from './dead-letters.ts'

/** @param end events at or above this position are left out: they are not projected yet */
export type Reread = (batch: LogBatch, end: number) => Promise<readonly Event[]>

export interface RereadOptions {
  readonly log: Log
  readonly store: Store
  readonly decode: EventDecoder
  readonly retry: <T>(task: () => Promise<T>) => Promise<T>
}

export function createReread({ log, store, decode, retry }: RereadOptions): Reread {
  /** Bytes that are no event are in the dead letters already. */
  function known(value: Uint8Array, partition: number, position: number): Event | undefined {
    try {
      const event = decode(value, log.epoch, partition, position)
      return isProgress(event) ? undefined : event
    } catch (error) {
      if (isRivuletError(error, 'data_corrupt')) return undefined
      throw error
    }
  }

  return async ({ partition, positions, values }, end) => {
    const events: Event[] = []
    for (let i = 0; i < values.length && positions[i] < end; i++) {
      const event = known(values[i], partition, positions[i])
      if (event !== undefined) events.push(event)
    }
    const keys: RowKey[] = events.map(({ position }) => deadLettersTable.key(log.epoch, partition, position))
    const requests = events.filter(({ idempotency }) => idempotency !== undefined)
    for (const { idempotency } of requests) if (idempotency !== undefined) keys.push(requestKey(idempotency))
    const rows = keys.length === 0 ? [] : await retry(() => store.get(keys))
    const repeats = new Set(requests.filter((event, i) => isRepeat(event, rows[events.length + i])))
    return events.filter((event, i) => rows[i] === undefined && !repeats.has(event))
  }
}
