/**
 * The outcome of each request that carried an `Idempotency-Key`. Projecting the request's event writes the row, so it is
 * as durable as the event, and every process can read it.
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
    /** Hash of the request's method, path and body. */
    hash: text,
    /** The event that the request appended. */
    eventId: u53,
    /** For requests that append no event: the answer, or enough to give it again. */
    answer: optional(text),
    /** Log key of that event. A request may append several events, but at most one per log key. */
    logKey: u53,
  }),
})

export const requestKey = ({ scope, key }: Idempotency): RowKey => idempotencyTable.key(scope, key)

type Remembered = ReturnType<typeof idempotencyTable.decode>

/**
 * Whether the event repeats a request that another event has carried out: two processes may carry out the same request
 * without knowing of each other, and then the first of their events in the log counts.
 */
export const repeats = ({ id, key }: Event, known: Remembered | undefined): boolean =>
  known !== undefined && known.logKey === key && known.eventId !== id

/** Like `repeats`, from the request's row in the store. */
export const isRepeat = (event: Event, row: Row | undefined): boolean =>
  row !== undefined && repeats(event, idempotencyTable.decode(row))
