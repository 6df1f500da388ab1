/**
 * What became of a request that carried an `Idempotency-Key`. The row is written by projecting the request's
 * event, so it is as durable as the event itself and stands on every node.
 */

import { optional, struct, text, u53 } from '../../core/codec.ts'
import { u32Key } from '../../core/keys.ts'
import type { Row, RowKey } from '../../ports/store/store.ts'
import type { Event, Idempotency } from '../events.ts'
import { defineTable } from './tables.ts'

export const idempotencyTable = defineTable({
  name: 'idempotency',
  partition: (scope: number, key: string) => `${u32Key(scope)}:${key}`,
  value: struct({
    /** Of method, path and body. */
    hash: text,
    /** The event that the request became. */
    eventId: u53,
    /** For requests that append nothing: what was answered, or enough to answer it again. */
    answer: optional(text),
    /** Log key of that event: one request may become events of several keys, of each key one. */
    logKey: u53,
  }),
})

export const requestKey = ({ scope, key }: Idempotency): RowKey => idempotencyTable.key(scope, key)

type Remembered = ReturnType<typeof idempotencyTable.decode>

/**
 * Two processes may carry out one request when neither can know of the other: the first of their events in the log
 * stands, the other one repeats it.
 */
export const repeats = ({ id, key }: Event, known: Remembered | undefined): boolean =>
  known !== undefined && known.logKey === key && known.eventId !== id

/** The same from a row of the store. */
export const isRepeat = (event: Event, row: Row | undefined): boolean =>
  row !== undefined && repeats(event, idempotencyTable.decode(row))
