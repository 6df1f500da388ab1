/**
 * Events, and their encoding in the log: an envelope (tag, id, log key, idempotency key) and a body, through the codec of
 * the event's type. Tags are part of the format on disk: never reuse one.
 */

import { decode, encode, struct, text, u32, u53, optional, u8, type Codec } from '../core/codec.ts'
import { RivuletError } from '../core/errors.ts'
import { idFloorAt } from '../core/ids.ts'
import { rowVersion } from '../ports/store/store.ts'

export interface EventType<B, D = any> {
  readonly tag: number
  readonly name: string
  readonly body: Codec<B>
  /** A notice: its writer has already stored the rows that it is about, so readers of the log apply it at once. */
  readonly isNotice?: boolean
  /** Set where the projection decides what the event leads to: the codec of that decision. */
  readonly decision?: Codec<D>
}

/** What makes a repeated request recognisable: who sent it, its key, and a hash of its content. */
export interface Idempotency {
  /** Account number; 0 for the server key. */
  readonly scope: number
  readonly key: string
  readonly hash: string
}

export interface Event<B = unknown> {
  readonly type: EventType<B>
  readonly id: number
  /** Log key. */
  readonly key: number
  readonly body: B
  readonly idempotency: Idempotency | undefined
  readonly partition: number
  readonly position: number
  /** The version of the rows that are written for this event. */
  readonly version: number
  /** What the projection decided. Set once the event's rows are stored, for types with a decision only. */
  decision: Decision | undefined
  /** The timer that appended it, if one did. */
  readonly timer: FiredTimer | undefined
}

export interface FiredTimer {
  readonly id: string
  readonly dueMs: number
  /** Version of the event that scheduled it. */
  readonly scheduledBy: number
}

/** The answer to a request. It is decided once, in log order; projecting the event again gives the same decision. */
export type Decision<D = unknown> =
  /** The request took effect. */
  | { readonly outcome: 'made'; readonly value: D }
  /** The request took effect before, through the event with id `of`. `isSame` is false when its content differs. */
  | { readonly outcome: 'repeated'; readonly of: number; readonly isSame: boolean; readonly value: D }
  /** The request has no effect. The reason is only known to the process that wrote the event, until it ends. */
  | { readonly outcome: 'refused'; readonly reason: string | undefined }

/** Tags from here on belong to records of the engine itself, which are no domain's events and have no id. */
export const ENGINE_TAGS = 250

export const defineEvent = <B>(tag: number, name: string, body: Codec<B>): EventType<B> => ({
  tag,
  name,
  body,
})

/** An event whose projection makes a decision (`rows/order.ts`): `produce` resolves with it. */
export const defineRequest = <B, D>(
  tag: number,
  name: string,
  body: Codec<B>,
  decision: Codec<D>,
): EventType<B, D> => ({ tag, name, body, decision })

/** An event that tells other processes about rows which its writer has already stored. */
export const defineNotice = <B>(tag: number, name: string, body: Codec<B>): EventType<B> => ({
  ...defineEvent(tag, name, body),
  isNotice: true,
})

const idempotency = struct({ scope: u32, key: text, hash: text })
const envelope = struct({ tag: u8, id: u53, key: u53, idempotency: optional(idempotency) })

export function encodeEvent<B>(
  type: EventType<B>,
  id: number,
  key: number,
  body: B,
  once?: Idempotency,
): Buffer {
  const record: Codec<B> = {
    fallback: body,
    write(out, value) {
      envelope.write(out, { tag: type.tag, id, key, idempotency: once })
      type.body.write(out, value)
    },
    read: () => body,
  }
  return encode(record, body)
}

/** Tag, id, key, and the flag that says whether an idempotency key follows. */
const ENVELOPE_BYTES_MIN = 1 + 8 + 8 + 1
const FLAG_AT = ENVELOPE_BYTES_MIN - 1
/** Newer versions of Rivulet stamp their events after this date, so an unknown tag with a lower id is no such event. */
const NEWER_FROM_ID = idFloorAt(Date.UTC(2026, 0, 1))

/** A check of its own, because codecs fill in missing fields: truncated or foreign bytes would decode as an event. */
function isEnvelope(value: Uint8Array, { tag, id, key }: { tag: number; id: number; key: number }): boolean {
  if (value.length < ENVELOPE_BYTES_MIN || value[FLAG_AT] > 1 || !Number.isSafeInteger(key) || key < 0) {
    return false
  }
  return tag >= ENGINE_TAGS ? id === 0 : tag > 0 && Number.isSafeInteger(id) && id > 0
}

export interface EventDecoder {
  (value: Uint8Array, epoch: number, partition: number, position: number): Event
}

export function eventDecoder(types: readonly EventType<any>[]): EventDecoder {
  const byTag = new Map<number, EventType<unknown>>()
  for (const type of types) {
    if (byTag.has(type.tag))
      throw new RivuletError('internal', `two event types have the tag ${type.tag}; give one of them another`)
    byTag.set(type.tag, type)
  }
  return (value, epoch, partition, position) =>
    decode(
      {
        fallback: undefined as never,
        write: () => {},
        read(input): Event {
          const { tag, id, key, idempotency } = envelope.read(input)
          if (!isEnvelope(value, { tag, id, key }))
            throw new RivuletError('data_corrupt', 'the record is not an event')
          const type = byTag.get(tag)
          if (type === undefined) {
            // `data_newer_format` ends every worker that reads the record, so foreign bytes must not lead to it.
            if (tag < ENGINE_TAGS && id < NEWER_FROM_ID) {
              throw new RivuletError('data_corrupt', 'the record is not an event')
            }
            const message = `the log holds an event with tag ${tag}, written by a newer version of Rivulet (partition ${partition}, position ${position}); start that version, or a later one`
            throw new RivuletError('data_newer_format', message)
          }
          const body = type.body.read(input)
          const version = rowVersion(epoch, position)
          const [decision, timer] = [undefined, undefined]
          return { type, id, key, body, idempotency, partition, position, version, decision, timer }
        },
      },
      value,
    )
}
