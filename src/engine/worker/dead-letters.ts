/**
 * Records of the log that cannot be taken in: bytes that are no event, or an event whose rows cannot be written. One
 * of them must not hold up all that comes after it, nor be lost: it is kept here with the reason, told to who
 * operates this, and may be appended to the log again once the cause is mended.
 */

import { bool, optional, struct, text, u32, u53 } from '../../core/codec.ts'
import { isBrokenInvariant, isRivuletError, type ErrorCode } from '../../core/errors.ts'
import { idKey, u32Key } from '../../core/keys.ts'
import type { Env } from '../../ports/env/env.ts'
import { rowVersion, type Store } from '../../ports/store/store.ts'
import { defineTable } from '../rows/tables.ts'

export const deadLettersTable = defineTable({
  name: 'dead_letters',
  partition: (_epoch: number, _partition: number, _position: number, _reactor?: string) => 'dead',
  sort: (epoch: number, partition: number, position: number, reactor?: string) =>
    `${u32Key(epoch)}.${u32Key(partition)}.${idKey(position)}${reactor === undefined ? '' : `.${reactor}`}`,
  value: struct({
    /** Of the log that it stood in: a deployment that moves takes its dead letters along. */
    epoch: u32,
    partition: u32,
    position: u53,
    reason: text,
    atMs: u53,
    /** Log key of the event, if it is one. */
    key: optional(u53),
    /** Base 64. */
    value: text,
    /** It was appended to the log again. */
    isReplayed: bool,
    /** The reactor that failed on the event; missing where its projection did. */
    reactor: optional(text),
  }),
})

export type DeadLetter = ReturnType<typeof deadLettersTable.decode>

/** A record and where it stood. */
export interface Buried {
  readonly partition: number
  readonly position: number
  readonly key: number | undefined
  readonly value: Uint8Array
  /** The reactor that failed on it; without one, its projection did. */
  readonly reactor?: string
}

export interface DeadLetters {
  bury(record: Buried, reason: unknown): Promise<void>
  readonly stats: { buried: number }
}

const OF_THE_EVENT: ReadonlySet<ErrorCode> = new Set(['invalid_request', 'payload_too_large'])

/** Of the event, not of this process or of an engine: trying again, or elsewhere, would not help. */
export const isPoison = (error: unknown): boolean =>
  !isRivuletError(error) || OF_THE_EVENT.has(error.code) || isBrokenInvariant(error)

export interface DeadLetterOptions {
  readonly env: Env
  readonly store: Store
  readonly epoch: number
  readonly onNotice: (text: string) => void
}

export function createDeadLetters({ env, store, epoch, onNotice }: DeadLetterOptions): DeadLetters {
  const stats = { buried: 0 }
  return {
    stats,
    async bury({ partition, position, key, value, reactor }, error) {
      const reason = error instanceof Error ? error.message : String(error)
      const letter = {
        epoch,
        partition,
        position,
        key,
        reason,
        atMs: env.wallMs(),
        value: Buffer.from(value).toString('base64'),
        isReplayed: false,
        reactor,
      }
      const place = deadLettersTable.key(epoch, partition, position, reactor)
      await store.write([deadLettersTable.row(place, rowVersion(epoch, position), letter)])
      stats.buried++
      const what = `record ${position} of partition ${partition}`
      onNotice(
        reactor === undefined
          ? `${what} cannot be taken in (${reason}); it is kept, see rivulet dead-letters`
          : `reactor ${reactor} fails on ${what} (${reason}); the record is kept, see rivulet dead-letters`,
      )
    },
  }
}

/** A record may be large, and so is what is read at once. */
const PAGE = 32

/** Oldest first within each partition. */
export async function* deadLetters(store: Store): AsyncGenerator<DeadLetter> {
  const { partition } = deadLettersTable.key(0, 0, 0)
  for (let from = ''; ;) {
    const [rows] = await store.range([{ table: deadLettersTable, partition, from, limit: PAGE }])
    for (const row of rows) yield deadLettersTable.decode(row)
    if (rows.length < PAGE) return
    from = `${rows[rows.length - 1].sort}0`
  }
}

/** It stands in the log again, at its end. */
export async function markReplayed(store: Store, letter: DeadLetter): Promise<void> {
  const { epoch, partition, position, reactor } = letter
  const key = deadLettersTable.key(epoch, partition, position, reactor)
  // Above the row that says why. Nobody writes this key again, so it takes no other event's version.
  const version = rowVersion(epoch, position) + 1
  await store.write([deadLettersTable.row(key, version, { ...letter, isReplayed: true })])
}
