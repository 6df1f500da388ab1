/**
 * A timeline as one string: a header and entries in the order in which they came. Readers sort, drop what is
 * there twice, and show the newest `capacity`; so a writer only ever appends.
 *
 *   timeline   generation u32 | epoch u32 | floor f64 | trimmed f64 | entries
 *   entry      id, low 32 bits | id, high 21 bits, and kind, 11 bits | author u32
 *   group      generation u32 | horizon f64
 *
 * Little-endian. A timeline whose generation is not its group's is lost: as if it were not there.
 */

import type { Entries, ViewPage } from './views.ts'

export const ENTRY_BYTES = 12
export const HEADER_BYTES = 24
const FLOOR_AT = 8
const TRIMMED_AT = 16
const HORIZON_AT = 4
const ID_HIGH_BITS = 21
const TWO_32 = 2 ** 32

export function writeEntry(to: Buffer, at: number, id: number, author: number, kind: number): number {
  to.writeUInt32LE(id % TWO_32, at)
  to.writeUInt32LE(Math.floor(id / TWO_32) + kind * 2 ** ID_HIGH_BITS, at + 4)
  return to.writeUInt32LE(author, at + 8)
}

export function encodeEntries({ length, ids, authors, kinds }: Entries): Buffer {
  const bytes = Buffer.allocUnsafe(length * ENTRY_BYTES)
  // Oldest first, as if they had been pushed.
  for (let i = length - 1, at = 0; i >= 0; i--) at = writeEntry(bytes, at, ids[i], authors[i], kinds[i])
  return bytes
}

const idAt = (bytes: Buffer, at: number): number =>
  (bytes.readUInt32LE(at + 4) % 2 ** ID_HIGH_BITS) * TWO_32 + bytes.readUInt32LE(at)

export const horizonOf = (group: Buffer): number => group.readDoubleLE(HORIZON_AT)

export const u32Bytes = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32LE(value)
  return bytes
}

export const f64Bytes = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeDoubleLE(value)
  return bytes
}

/** Where the entries stand, oldest first, each id once. */
function offsetsInOrder(timeline: Buffer): Uint32Array {
  const length = Math.floor((timeline.length - HEADER_BYTES) / ENTRY_BYTES)
  const offsets = new Uint32Array(length)
  let isSorted = true
  let last = -1
  for (let i = 0, at = HEADER_BYTES; i < length; i++, at += ENTRY_BYTES) {
    const id = idAt(timeline, at)
    if (id <= last) isSorted = false
    last = id
    offsets[i] = at
  }
  return isSorted ? offsets : sorted(timeline, offsets)
}

function sorted(timeline: Buffer, offsets: Uint32Array): Uint32Array {
  const ids = new Map<number, number>()
  for (const at of offsets) ids.set(idAt(timeline, at), at)
  const ascending = Float64Array.from(ids.keys()).sort()
  return Uint32Array.from(ascending, (id) => ids.get(id) ?? 0)
}

export interface PageRequest {
  readonly capacity: number
  /** Exclusive. */
  readonly below: number
  readonly limit: number
}

/** @returns nothing for what is lost */
export function readPage(
  group: Buffer | null,
  timeline: Buffer | null,
  { capacity, below, limit }: PageRequest,
): ViewPage | undefined {
  if (group === null || timeline === null || timeline.length < HEADER_BYTES) return undefined
  if (timeline.readUInt32LE(0) !== group.readUInt32LE(0)) return undefined
  const offsets = offsetsInOrder(timeline)
  const first = Math.max(0, offsets.length - capacity)
  const cut = first === 0 ? 0 : idAt(timeline, offsets[first - 1])
  const floor = Math.max(timeline.readDoubleLE(FLOOR_AT), timeline.readDoubleLE(TRIMMED_AT), cut)
  const header = { epoch: timeline.readUInt32LE(4), floor, horizon: horizonOf(group) }
  let end = offsets.length
  while (end > first && idAt(timeline, offsets[end - 1]) >= below) end--
  return { header, entries: decodeEntries(timeline, offsets, Math.max(first, end - limit), end) }
}

/** Those from `start` to `end`, newest first. */
function decodeEntries(timeline: Buffer, offsets: Uint32Array, start: number, end: number): Entries {
  const length = Math.max(0, end - start)
  const ids = new Float64Array(length)
  const authors = new Uint32Array(length)
  const kinds = new Uint16Array(length)
  for (let i = 0; i < length; i++) {
    const at = offsets[end - 1 - i]
    ids[i] = idAt(timeline, at)
    kinds[i] = timeline.readUInt32LE(at + 4) >>> ID_HIGH_BITS
    authors[i] = timeline.readUInt32LE(at + 8)
  }
  return { length, ids, authors, kinds }
}

/** What a timeline is replaced with to be short again, after its floor: `trimmed`, and its newest entries. */
export function compact(timeline: Buffer, keep: number): Buffer {
  const offsets = offsetsInOrder(timeline)
  const first = Math.max(0, offsets.length - keep)
  const cut = first === 0 ? 0 : idAt(timeline, offsets[first - 1])
  const bytes = Buffer.allocUnsafe(8 + (offsets.length - first) * ENTRY_BYTES)
  let at = bytes.writeDoubleLE(Math.max(timeline.readDoubleLE(TRIMMED_AT), cut))
  for (const from of offsets.subarray(first)) at += timeline.copy(bytes, at, from, from + ENTRY_BYTES)
  return bytes
}

export interface TrimBounds {
  /** Entries that a trim leaves. */
  readonly keep: number
  /** Entries at which a timeline is trimmed. */
  readonly full: number
}

/** Header of a string in Redis, and the zero at its end. */
const STRING_OVERHEAD_BYTES = 6
/** Trims that are on their way when more entries come. */
const FULL_MARGIN = 4
/** A string that was set with more to spare than a tenth of its length gives that back. */
const SPARE_SHARE_MAX = 0.1

/**
 * Appending to a string that has no room left doubles its memory, so both lengths lie in one size class of the
 * allocator (jemalloc: four to a doubling).
 */
export function trimBoundsOf(capacity: number): TrimBounds {
  const slots = (bytes: number) => (bytes - HEADER_BYTES - STRING_OVERHEAD_BYTES) / ENTRY_BYTES
  for (let base = 64; ; base *= 2) {
    for (const quarter of [5, 6, 7, 8]) {
      const full = Math.floor(slots((base / 4) * quarter))
      const keep = Math.max(capacity, Math.ceil(full / (1 + SPARE_SHARE_MAX)))
      if (full - keep - FULL_MARGIN >= Math.max(capacity / 12, FULL_MARGIN)) {
        return { keep, full: full - FULL_MARGIN }
      }
    }
  }
}
