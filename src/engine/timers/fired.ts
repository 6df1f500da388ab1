/** The record in which the event of a timer stands in the log: the event itself, and which timer appended it. */

import { bytes, struct, text, u53 } from '../../core/codec.ts'
import {
  defineEvent,
  encodeEvent,
  ENGINE_TAGS,
  type EventDecoder,
  type EventType,
  type FiredTimer,
} from '../events.ts'

export const fired = defineEvent(
  ENGINE_TAGS + 3,
  'fired',
  struct({
    timer: text,
    dueMs: u53,
    /** Version of the event that scheduled it. */
    scheduledBy: u53,
    /** The encoded event of the domain. */
    event: bytes,
  }),
)

/** An engine's record has no id; the event in it does. */
const NO_ID = 0

export function encodeFired(
  type: EventType<any>,
  id: number,
  key: number,
  body: unknown,
  { id: timer, dueMs, scheduledBy }: FiredTimer,
): Buffer {
  const event = encodeEvent(type, id, key, body)
  return encodeEvent(fired, NO_ID, key, { timer, dueMs, scheduledBy, event })
}

/** Decodes records of timers to the events in them. */
export const withTimers =
  (decode: EventDecoder): EventDecoder =>
  (value, epoch, partition, position) => {
    const event = decode(value, epoch, partition, position)
    if ((event.type as unknown) !== fired) return event
    const { timer: id, dueMs, scheduledBy, event: inner } = event.body as ReturnType<typeof fired.body.read>
    return { ...decode(inner, epoch, partition, position), timer: { id, dueMs, scheduledBy } }
  }
