/**
 * The headers of the in-memory timelines: eight words and a CLOCK byte for each account number, in chunks of typed arrays
 * that are never copied. A directory of fixed size finds the chunk of a number.
 *
 * A chunk first holds, for all its accounts, the two words that every insert uses, and after them the six words that are
 * used by few inserts, by reads and by changes of the floor. So the processor's cache holds four times as many accounts.
 */

import { BLOCK_ENTRIES } from './slabs.ts'

export const CHUNK_SHIFT = 13
export const CHUNK_ACCOUNTS = 1 << CHUNK_SHIFT
export const CHUNK_MASK = CHUNK_ACCOUNTS - 1
export const HEADER_SHIFT = 1
const HOT_WORDS = 1 << HEADER_SHIFT
const COLD_WORDS = 6
const CHUNK_WORDS = CHUNK_ACCOUNTS * (HOT_WORDS + COLD_WORDS)
export const CHUNK_BYTES = CHUNK_WORDS * 4 + CHUNK_ACCOUNTS
const DIRECTORY_LENGTH = 2 ** 32 / CHUNK_ACCOUNTS
export const DIRECTORY_BYTES = DIRECTORY_LENGTH * 4

/** Offsets from `baseOf`: the newest block, and the state. */
export const NEWEST = 0
export const STATE = 1

/** Offsets from `coldOf`: the oldest block, the epoch, … */
export const OLDEST = 0
const EPOCH_LOW = 1
/** … the largest id trimmed since `open`, as of the last `Rings.noteTrimmed`, … */
const TRIMMED_LOW = 2
const TRIMMED_HIGH = 3
/** … and the floor, with the high bits of the epoch above its 21 bits. */
const FLOOR_LOW = 4
const FLOOR_HIGH = 5

/** Bits of the state: count, first used slot of the oldest block, first unused slot of the newest, two flags. 0: no header. */
export const COUNT_MASK = 0xffff
export const START_SHIFT = 16
export const END_SHIFT = 20
export const SLOT_MASK = 0xf
const PRESENT = 1 << 24
export const SETTLED = 1 << 25
/** The state without blocks. Its end is that of a full block, so that the first entry takes a new one. */
export const EMPTY = PRESENT | (BLOCK_ENTRIES << END_SHIFT)

export const HIGH_BITS = 21
export const HIGH_MASK = (1 << HIGH_BITS) - 1
export const TWO_32 = 2 ** 32

/** Values of the CLOCK byte: no timeline, may be evicted, is spared once. */
export const CLOCK_ABSENT = 0
export const CLOCK_COLD = 1
export const CLOCK_WARM = 2

export class Headers {
  /** By the high bits of an account number: chunk index + 1, or 0 for none. Untouched memory pages of it cost nothing. */
  readonly directory = new Uint32Array(DIRECTORY_LENGTH)
  readonly words: Uint32Array[] = []
  readonly clocks: Uint8Array[] = []
  /** By chunk: the index in the directory that it serves, and how many headers it holds. */
  private readonly ranges: number[] = []
  private readonly living: number[] = []
  timelines = 0

  get bytes(): number {
    return DIRECTORY_BYTES + this.words.length * CHUNK_BYTES
  }

  /** @returns the chunk of an account, or -1 */
  chunkOf(owner: number): number {
    return this.directory[owner >>> CHUNK_SHIFT] - 1
  }

  addChunk(owner: number): number {
    this.words.push(new Uint32Array(CHUNK_WORDS))
    this.clocks.push(new Uint8Array(CHUNK_ACCOUNTS))
    this.living.push(0)
    this.ranges.push(owner >>> CHUNK_SHIFT)
    this.directory[owner >>> CHUNK_SHIFT] = this.words.length
    return this.words.length - 1
  }

  /** @returns the chunk with the fewest headers */
  emptiestChunk(): number {
    let best = 0
    for (let chunk = 1; chunk < this.living.length; chunk++) {
      if (this.living[chunk] < this.living[best]) best = chunk
    }
    return best
  }

  /** Gives a chunk without headers to another range of accounts. */
  moveChunk(chunk: number, owner: number): void {
    this.directory[this.ranges[chunk]] = 0
    this.ranges[chunk] = owner >>> CHUNK_SHIFT
    this.directory[owner >>> CHUNK_SHIFT] = chunk + 1
  }

  /** Writes a new header: nothing trimmed, not settled. */
  open(chunk: number, index: number, epoch: number): void {
    const words = this.words[chunk]
    const base = index << HEADER_SHIFT
    if (words[base + STATE] === 0) {
      this.living[chunk]++
      this.timelines++
    }
    const cold = coldOf(base)
    words.fill(0, base, base + HOT_WORDS)
    words.fill(0, cold, cold + COLD_WORDS)
    words[base + STATE] = EMPTY
    words[cold + FLOOR_HIGH] = Math.floor(epoch / TWO_32) << HIGH_BITS
    words[cold + EPOCH_LOW] = epoch >>> 0
    // Cold until it is read or merged into.
    this.clocks[chunk][index] = CLOCK_COLD
  }

  /** Iterates over the accounts that have a header. */
  *owners(): Generator<{ chunk: number; owner: number }> {
    for (let chunk = 0; chunk < this.words.length; chunk++) {
      for (let index = 0; index < CHUNK_ACCOUNTS; index++) {
        if (this.words[chunk][(index << HEADER_SHIFT) + STATE] === 0) continue
        yield { chunk, owner: this.ranges[chunk] * CHUNK_ACCOUNTS + index }
      }
    }
  }

  remove(chunk: number, index: number): void {
    this.words[chunk][(index << HEADER_SHIFT) + STATE] = 0
    this.clocks[chunk][index] = CLOCK_ABSENT
    this.living[chunk]--
    this.timelines--
  }
}

/** Index in its chunk of an owner's two hot words. */
export const baseOf = (owner: number): number => (owner & CHUNK_MASK) << HEADER_SHIFT

/** Index of the six cold words of the header whose hot words are at `base`. */
export const coldOf = (base: number): number =>
  CHUNK_ACCOUNTS * HOT_WORDS + (base >>> HEADER_SHIFT) * COLD_WORDS

export function epochOf(words: Uint32Array, base: number): number {
  const cold = coldOf(base)
  return (words[cold + FLOOR_HIGH] >>> HIGH_BITS) * TWO_32 + words[cold + EPOCH_LOW]
}

export function trimmedOf(words: Uint32Array, base: number): number {
  const cold = coldOf(base)
  return words[cold + TRIMMED_HIGH] * TWO_32 + words[cold + TRIMMED_LOW]
}

export function raiseTrimmed(words: Uint32Array, base: number, id: number): void {
  if (id <= trimmedOf(words, base)) return
  const cold = coldOf(base)
  words[cold + TRIMMED_LOW] = id >>> 0
  words[cold + TRIMMED_HIGH] = Math.floor(id / TWO_32)
}

function settledFloorOf(words: Uint32Array, base: number): number {
  if ((words[base + STATE] & SETTLED) === 0) return Infinity
  const cold = coldOf(base)
  return (words[cold + FLOOR_HIGH] & HIGH_MASK) * TWO_32 + words[cold + FLOOR_LOW]
}

/** The largest trimmed id is kept apart from the floor of `settle`, so that a later `settle` can lower the floor to it. */
export const floorOf = (words: Uint32Array, base: number): number =>
  Math.max(settledFloorOf(words, base), trimmedOf(words, base))

export function lowerFloor(words: Uint32Array, base: number, floor: number): void {
  if (floor >= settledFloorOf(words, base)) return
  const cold = coldOf(base)
  words[base + STATE] |= SETTLED
  words[cold + FLOOR_LOW] = floor >>> 0
  words[cold + FLOOR_HIGH] = (words[cold + FLOOR_HIGH] & ~HIGH_MASK) | Math.floor(floor / TWO_32)
}
