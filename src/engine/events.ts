/**
 * Events as they stand in the log: a tag, an id, and a body through a codec. Tags are part of the format
 * on disk: never reuse one.
 */

import { decode, encode, struct, text, u32, u53, optional, u8, type Codec } from '../core/codec.ts'
import { RivuletError } from '../core/errors.ts'
import { idFloorAt } from '../core/ids.ts'
import { rowVersion } from '../ports/store/store.ts'

export interface EventType<B, D = any> {
  readonly tag: number
  readonly name: string
  readonly body: Codec<B>
  /** A notice: the rows that it speaks of are already stored, so readers of the log apply it at once. */
  readonly isNotice?: boolean
  /** Its projection decides, once and for all processes; how that is encoded. */
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
  /** What rows written for this event carry. */
  readonly version: number
  /** What its projection decided; for types with a decision, from the moment when its rows stand. */
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

/** The answer to a request, decided in the order of the log and never again. */
export type Decision<D = unknown> =
  /** It took effect. */
  | { readonly outcome: 'made'; readonly value: D }
  /** The request was carried out before, by the event with id `of`; `isSame` unless its content was another. */
  | { readonly outcome: 'repeated'; readonly of: number; readonly isSame: boolean; readonly value: D }
  /** It changes nothing. The reason is known to the writer of the event, and not after a restart. */
  | { readonly outcome: 'refused'; readonly reason: string | undefined }

/** From here on tags are the engine's own records: they are no events of a domain, and have no id. */
export const ENGINE_TAGS = 250

export const defineEvent = <B>(tag: number, name: string, body: Codec<B>): EventType<B> => ({
  tag,
  name,
  body,
})

/** An event whose projection decides (`rows/order.ts`): `produce` resolves with the decision. */
export const defineRequest = <B, D>(
  tag: number,
  name: string,
  body: Codec<B>,
  decision: Codec<D>,
): EventType<B, D> => ({ tag, name, body, decision })

/** An event that tells other processes of rows which its writer has stored already. */
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

/** Tag, id, key, and whether there is an idempotency. */
const ENVELOPE_BYTES_MIN = 1 + 8 + 8 + 1
const FLAG_AT = ENVELOPE_BYTES_MIN - 1
/** Nothing that is newer than this was ever stamped before. */
const NEWER_FROM_ID = idFloorAt(Date.UTC(2026, 0, 1))

/** Fields that are missing have defaults, so that bytes cut short, or somebody else's, would pass for an event. */
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
    if (byTag.has(type.tag)) throw new RivuletError('internal', `event tag ${type.tag} is taken twice`)
    byTag.set(type.tag, type)
  }
  return (value, epoch, partition, position) =>
    decode(
      {
        fallback: undefined as never,
        write: () => {},
        read(input): Event {
          const { tag, id, key, idempotency } = envelope.read(input)
          if (!isEnvelope(value, { tag, id, key })) throw new RivuletError('data_corrupt', 'no event')
          const type = byTag.get(tag)
          if (type === undefined) {
            // Every process ends at it, so it must not be a stranger's bytes.
            if (tag < ENGINE_TAGS && id < NEWER_FROM_ID) throw new RivuletError('data_corrupt', 'no event')
            const message = `the log holds an event of kind ${tag}, written by a newer Rivulet (partition ${partition}, position ${position})`
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
