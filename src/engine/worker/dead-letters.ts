/**
 * Dead letters: records of the log that are not events, events that cannot be projected, and events on which a reactor
 * fails. Such a record must neither hold up the records after it nor be lost. So it is stored here with the reason, a
 * notice tells the operator, and once the cause is fixed it can be appended to the log again
 * (`rivulet dead-letters --replay`).
 */

import { bool, optional, struct, text, u32, u53 } from '../../core/codec.ts'
import { isRivuletError, type ErrorCode } from '../../core/errors.ts'
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
    /** The epoch of the log that held the record: a deployment that moves to another log keeps its dead letters. */
    epoch: u32,
    partition: u32,
    position: u53,
    reason: text,
    atMs: u53,
    /** Log key of the event; missing if the record is not an event. */
    key: optional(u53),
    /** The record's bytes, in Base 64. */
    value: text,
    /** The record was appended to the log again. */
    isReplayed: bool,
    /** The reactor that failed on the event; missing if the projection failed. */
    reactor: optional(text),
  }),
})

export type DeadLetter = ReturnType<typeof deadLettersTable.decode>

/** A record to bury, and its place in the log. */
export interface Buried {
  readonly partition: number
  readonly position: number
  readonly key: number | undefined
  readonly value: Uint8Array
  /** The reactor that failed on the event; missing if the projection failed. */
  readonly reactor?: string
}

export interface DeadLetters {
  bury(record: Buried, reason: unknown): Promise<void>
  readonly stats: { buried: number }
}

/** Errors of this process, its disk or its deployment: they would meet every event. */
const OF_THE_PROCESS: ReadonlySet<ErrorCode> = new Set([
  'config_invalid',
  'data_locked',
  'data_newer_format',
  'data_corrupt',
  'disk_error',
])

/**
 * Whether the error comes from the event itself, and not from this process or an engine: then it does not help to try
 * again, here or in another process.
 */
export const isPoison = (error: unknown): boolean =>
  !isRivuletError(error) || (!error.retriable && !OF_THE_PROCESS.has(error.code))

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
          ? `${what} cannot be projected (${reason}); it is kept as a dead letter, see rivulet dead-letters`
          : `reactor ${reactor} fails on ${what} (${reason}); it is kept as a dead letter, see rivulet dead-letters`,
      )
    },
  }
}

/** Rows read at once. Few, because each may hold a large record. */
const PAGE = 32

/** Reads all dead letters, oldest first within each partition. */
export async function* deadLetters(store: Store): AsyncGenerator<DeadLetter> {
  const { partition } = deadLettersTable.key(0, 0, 0)
  for (let from = ''; ;) {
    const [rows] = await store.range([{ table: deadLettersTable, partition, from, limit: PAGE }])
    for (const row of rows) yield deadLettersTable.decode(row)
    if (rows.length < PAGE) return
    from = `${rows[rows.length - 1].sort}0`
  }
}

/** Notes that the record was appended to the log again. */
export async function markReplayed(store: Store, letter: DeadLetter): Promise<void> {
  const { epoch, partition, position, reactor } = letter
  const key = deadLettersTable.key(epoch, partition, position, reactor)
  // One above the version of the buried row. No other event writes this key, so the version cannot collide.
  const version = rowVersion(epoch, position) + 1
  await store.write([deadLettersTable.row(key, version, { ...letter, isReplayed: true })])
}
