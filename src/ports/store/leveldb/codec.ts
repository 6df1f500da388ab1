/**
 * Rows as keys and values of LevelDB.
 *
 *   key    table NUL partition NUL sort, in UTF-8: so a partition and a table are ranges of keys
 *   value  1 byte of flags, 7 of version; then, if flagged, 8 of expiry; then the value
 *
 * The store's own keys begin with NUL, below every table:
 *
 *   NUL e NUL hour NUL row key   a row that ends within that hour
 *   NUL v NUL table              the highest version ever written to the table
 *   NUL w                        the watermark
 */

import { RivuletError } from '../../../core/errors.ts'
import { u32Key } from '../../../core/keys.ts'
import { expiryHour } from '../expiry.ts'
import type { RowKey } from '../store.ts'

/** Just above NUL: where the range of a partition or a table ends. */
const AFTER_NUL = '\x01'
const FLAG_EXPIRES = 1
const U32 = 2 ** 32
const HEAD_BYTES = 8
const EXPIRY_BYTES = 8

export const WATERMARK_KEY = '\0w'
export const HIGHEST_VERSIONS = { gte: '\0v\0', lt: '\0v\x01' }
/** The value of keys that need none. Not empty, because the driver leaks the allocation of an empty value. */
export const MARKER = Buffer.of(1)

export const rowKey = (key: RowKey): string => `${key.table.name}\0${key.partition}\0${key.sort}`
export const partitionPrefix = (table: string, partition: string): string => `${table}\0${partition}\0`
export const endOfPartition = (table: string, partition: string): string =>
  `${table}\0${partition}${AFTER_NUL}`
export const startOfTable = (table: string): string => `${table}\0`
export const endOfTable = (table: string): string => `${table}${AFTER_NUL}`

export function parseRowKey(key: string): { partition: string; sort: string } {
  const [, partition, sort] = key.split('\0')
  return { partition, sort }
}

export const highestVersionKey = (table: string): string => `${HIGHEST_VERSIONS.gte}${table}`
export const tableOfHighestVersionKey = (key: string): string => key.slice(HIGHEST_VERSIONS.gte.length)

const EXPIRY_PREFIX = '\0e\0'
export const expiryKey = (expiresAtMs: number, key: string): string =>
  `${EXPIRY_PREFIX}${u32Key(expiryHour(expiresAtMs))}\0${key}`
export const expiryRange = (hourEnd: number): { gte: string; lt: string } => ({
  gte: EXPIRY_PREFIX,
  lt: `${EXPIRY_PREFIX}${u32Key(hourEnd)}`,
})
export const rowKeyOfExpiryKey = (key: string): string =>
  key.slice(key.indexOf('\0', EXPIRY_PREFIX.length) + 1)

export type ValueEncoder = ReturnType<typeof createValueEncoder>

/**
 * Encodes every value into the same buffer, which is safe because the driver copies a value before `put` returns. A view
 * is kept for each short length, because making a view costs more than filling it.
 */
export function createValueEncoder() {
  const VIEW_BYTES_MAX = 1_024
  let scratch = Buffer.allocUnsafeSlow(VIEW_BYTES_MAX)
  let views: (Buffer | undefined)[] = []
  const viewOf = (bytes: number): Buffer => {
    if (bytes > scratch.length) {
      scratch = Buffer.allocUnsafeSlow(bytes * 2)
      views = []
    }
    if (bytes > VIEW_BYTES_MAX) return scratch.subarray(0, bytes)
    return (views[bytes] ??= scratch.subarray(0, bytes))
  }
  /** Valid until the next call. */
  return function encodeValue(version: number, value: Uint8Array, expiresAtMs: number | undefined): Buffer {
    const flags = expiresAtMs === undefined ? 0 : FLAG_EXPIRES
    const start = HEAD_BYTES + (expiresAtMs === undefined ? 0 : EXPIRY_BYTES)
    const view = viewOf(start + value.length)
    view.writeUInt32BE((flags << 24) | Math.floor(version / U32), 0)
    view.writeUInt32BE(version % U32, 4)
    if (expiresAtMs !== undefined) view.writeDoubleBE(expiresAtMs, HEAD_BYTES)
    view.set(value, start)
    return view
  }
}

export function versionOf(stored: Buffer): number {
  assertHead(stored)
  return (stored.readUInt32BE(0) & 0xffffff) * U32 + stored.readUInt32BE(4)
}

export function expiryOf(stored: Buffer): number | undefined {
  assertHead(stored)
  return hasExpiry(stored) ? stored.readDoubleBE(HEAD_BYTES) : undefined
}

export const valueOf = (stored: Buffer): Uint8Array =>
  stored.subarray(hasExpiry(stored) ? HEAD_BYTES + EXPIRY_BYTES : HEAD_BYTES)

const hasExpiry = (stored: Buffer): boolean => stored[0] === FLAG_EXPIRES

function assertHead(stored: Buffer): void {
  if (stored.length < HEAD_BYTES || (hasExpiry(stored) && stored.length < HEAD_BYTES + EXPIRY_BYTES)) {
    throw new RivuletError('data_corrupt', 'a stored row is shorter than its header')
  }
}
