/**
 * What became of a request that carried an `Idempotency-Key`. The row is written by projecting the request's
 * event, so it is as durable as the event itself and stands on every node.
 */

import { optional, struct, text, u53 } from '../../core/codec.ts'
import { u32Key } from '../../core/keys.ts'
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
