/**
 * A timeline as one Redis string: a header, and entries in the order of their arrival. Readers sort the entries, drop
 * repeats (with `keep: 'latest'` also all but the newest entry of each ref) and take the newest `capacity`, so that
 * writers only ever append.
 *
 *   timeline   generation u32 | epoch u32 | floor f64 | trimmed f64 | entries
 *   entry      id, low 32 bits | id, high 21 bits, and kind, 11 bits | ref u32
 *   group      generation u32 | horizon f64 for each lane
 *
 * Little-endian. A timeline with another generation than its group is lost, as if it were not there. So are all timelines
 * of a group whose value has an unexpected length.
 */

import { Pages } from '../pages.ts'
import { RefSet } from '../ref-set.ts'
import type { Entries, Keep, ViewPage } from '../views.ts'

export const ENTRY_BYTES = 12
export const HEADER_BYTES = 24
const FLOOR_AT = 8
const TRIMMED_AT = 16
const HORIZONS_AT = 4
const ID_HIGH_BITS = 21
const TWO_32 = 2 ** 32

export function writeEntry(to: Buffer, at: number, id: number, ref: number, kind: number): number {
  to.writeUInt32LE(id % TWO_32, at)
  to.writeUInt32LE(Math.floor(id / TWO_32) + kind * 2 ** ID_HIGH_BITS, at + 4)
  return to.writeUInt32LE(ref, at + 8)
}

export function encodeEntries({ length, ids, refs, kinds }: Entries): Buffer {
  const bytes = Buffer.allocUnsafe(length * ENTRY_BYTES)
  // Oldest first, the order in which pushed entries arrive.
  for (let i = length - 1, at = 0; i >= 0; i--) at = writeEntry(bytes, at, ids[i], refs[i], kinds[i])
  return bytes
}

export const groupBytesOf = (lanes: number): number => HORIZONS_AT + 8 * lanes

export const horizonOf = (group: Buffer, lane: number): number => group.readDoubleLE(HORIZONS_AT + 8 * lane)

function horizonsOf(group: Buffer, lanes: number): Float64Array {
  const horizons = new Float64Array(lanes)
  for (let lane = 0; lane < lanes; lane++) horizons[lane] = horizonOf(group, lane)
  return horizons
}

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

const ENTRY_WORDS = ENTRY_BYTES / 4
const ID_HIGH_MASK = 2 ** ID_HIGH_BITS - 1

/** Aligned copy of a timeline's entries: bytes from a socket may not be aligned to words. Valid until the next call. */
let scratch = new Uint32Array(4_096)
const pages = new Pages()

/** The entries that stand, sorted, the oldest first. */
function wordsOf(timeline: Buffer, keep: Keep): Uint32Array {
  const length = Math.floor((timeline.length - HEADER_BYTES) / ENTRY_BYTES) * ENTRY_WORDS
  if (length > scratch.length) scratch = new Uint32Array(2 * length)
  const bytes = new Uint8Array(scratch.buffer)
  bytes.set(timeline.subarray(HEADER_BYTES, HEADER_BYTES + 4 * length))
  const words = scratch.subarray(0, length)
  const ordered = settle(words) ? words : sorted(words)
  return keep === 'latest' ? latestOf(ordered) : ordered
}

const idAt = (words: Uint32Array, at: number): number => (words[at + 1] & ID_HIGH_MASK) * TWO_32 + words[at]

/**
 * Bounds the work of sorting in place. Entries of the same moment arrive in any order, but those of the next moment after
 * them, so few entries have to pass more than a few others.
 */
const PASSED_AN_ENTRY_MAX = 16

/**
 * Sorts entries that are nearly sorted, in place.
 * @returns whether they are sorted now: false when many are far from their place, or an id is there twice
 */
function settle(words: Uint32Array): boolean {
  let left = PASSED_AN_ENTRY_MAX * words.length
  // The two halves of the last id: comparing int32s is faster than comparing the id that they make.
  let lastHigh = -1
  let lastLow = 0
  for (let at = 0; at < words.length; at += ENTRY_WORDS) {
    const high = words[at + 1] & ID_HIGH_MASK
    const low = words[at]
    if (high > lastHigh || (high === lastHigh && low > lastLow)) {
      lastHigh = high
      lastLow = low
      continue
    }
    const id = idAt(words, at)
    const to = moveDown(words, at, id)
    left -= at - to
    if (left < 0 || (to > 0 && idAt(words, to - ENTRY_WORDS) === id)) return false
  }
  return true
}

/** Moves an entry down past all newer ones. @returns its new index */
function moveDown(words: Uint32Array, at: number, id: number): number {
  const low = words[at]
  const high = words[at + 1]
  const ref = words[at + 2]
  let to = at
  for (; to > 0 && idAt(words, to - ENTRY_WORDS) > id; to -= ENTRY_WORDS) {
    words[to] = words[to - 3]
    words[to + 1] = words[to - 2]
    words[to + 2] = words[to - 1]
  }
  words[to] = low
  words[to + 1] = high
  words[to + 2] = ref
  return to
}

/** A sorted copy, oldest first, each id once. */
function sorted(words: Uint32Array): Uint32Array {
  const places = new Map<number, number>()
  for (let at = 0; at < words.length; at += ENTRY_WORDS) places.set(idAt(words, at), at)
  const ordered = new Uint32Array(places.size * ENTRY_WORDS)
  let to = 0
  for (const id of Float64Array.from(places.keys()).sort()) {
    const from = places.get(id) ?? 0
    for (let word = 0; word < ENTRY_WORDS; word++) ordered[to++] = words[from + word]
  }
  return ordered
}

const taken = new RefSet(1_024)

/** Moves the newest entry of each ref to the end of the words, and leaves out the others. */
function latestOf(words: Uint32Array): Uint32Array {
  taken.begin(words.length / ENTRY_WORDS)
  let to = words.length
  for (let at = words.length - ENTRY_WORDS; at >= 0; at -= ENTRY_WORDS) {
    if (!taken.add(words[at + 2])) continue
    to -= ENTRY_WORDS
    words[to] = words[at]
    words[to + 1] = words[at + 1]
    words[to + 2] = words[at + 2]
  }
  return words.subarray(to)
}

export interface PageRequest {
  readonly keep: Keep
  readonly capacity: number
  readonly lanes: number
  /** Exclusive. */
  readonly below: number
  readonly limit: number
}

/** @returns `undefined` for a timeline that is lost */
export function readPage(
  group: Buffer | null,
  timeline: Buffer | null,
  { keep, capacity, lanes, below, limit }: PageRequest,
): ViewPage | undefined {
  if (group === null || group.length !== groupBytesOf(lanes)) return undefined
  if (timeline === null || timeline.length < HEADER_BYTES) return undefined
  // A program that is not ours has written here.
  if ((timeline.length - HEADER_BYTES) % ENTRY_BYTES !== 0) return undefined
  if (timeline.readUInt32LE(0) !== group.readUInt32LE(0)) return undefined
  const words = wordsOf(timeline, keep)
  const first = Math.max(0, words.length - capacity * ENTRY_WORDS)
  const cut = first === 0 ? 0 : idAt(words, first - ENTRY_WORDS)
  const floor = Math.max(timeline.readDoubleLE(FLOOR_AT), timeline.readDoubleLE(TRIMMED_AT), cut)
  const header = { epoch: timeline.readUInt32LE(4), floor, horizons: horizonsOf(group, lanes) }
  let end = words.length
  while (end > first && idAt(words, end - ENTRY_WORDS) >= below) end -= ENTRY_WORDS
  const start = Math.max(first, end - Math.max(0, limit) * ENTRY_WORDS)
  return { header, entries: decodeEntries(words, start, end) }
}

/** The entries from word `start` up to `end`, newest first. */
function decodeEntries(words: Uint32Array, start: number, end: number): Entries {
  const page = pages.take((end - start) / ENTRY_WORDS)
  const { length, ids, refs, kinds } = page
  for (let i = 0, at = end - ENTRY_WORDS; i < length; i++, at -= ENTRY_WORDS) {
    ids[i] = idAt(words, at)
    kinds[i] = words[at + 1] >>> ID_HIGH_BITS
    refs[i] = words[at + 2]
  }
  return page
}

/**
 * The bytes of a shortened timeline from `trimmed` on: the new `trimmed`, and the newest entries that stand. Entries that
 * were replaced go without a trace: only those without room raise `trimmed`.
 */
export function compact(timeline: Buffer, keep: Keep, entriesMax: number): Buffer {
  const words = wordsOf(timeline, keep)
  const first = Math.max(0, words.length - entriesMax * ENTRY_WORDS)
  const cut = first === 0 ? 0 : idAt(words, first - ENTRY_WORDS)
  const kept = words.subarray(first)
  const bytes = Buffer.allocUnsafe(8 + kept.byteLength)
  bytes.writeDoubleLE(Math.max(timeline.readDoubleLE(TRIMMED_AT), cut))
  bytes.set(new Uint8Array(kept.buffer, kept.byteOffset, kept.byteLength), 8)
  return bytes
}

export interface TrimBounds {
  /** How many entries a trim leaves at most. */
  readonly left: number
  /** With how many entries a timeline is trimmed. */
  readonly full: number
}

/** The header of a string in Redis and the zero byte at its end. */
const STRING_OVERHEAD_BYTES = 6
/** Entries that may come while a trim is under way. */
const FULL_MARGIN = 4
/** Redis shrinks a string that is set with more spare room than a tenth of its length. */
const SPARE_SHARE_MAX = 0.1

/**
 * Chooses both lengths within one size class of the allocator (jemalloc has four to a doubling), because Redis doubles the
 * memory of a string when an append finds no room.
 */
export function trimBoundsOf(capacity: number): TrimBounds {
  const slots = (bytes: number) => (bytes - HEADER_BYTES - STRING_OVERHEAD_BYTES) / ENTRY_BYTES
  for (let base = 64; ; base *= 2) {
    for (const quarter of [5, 6, 7, 8]) {
      const full = Math.floor(slots((base / 4) * quarter)) - FULL_MARGIN
      const left = Math.max(capacity, Math.ceil((full + FULL_MARGIN) / (1 + SPARE_SHARE_MAX)))
      if (full - left >= Math.max(capacity / 20, FULL_MARGIN)) return { left, full }
    }
  }
}
