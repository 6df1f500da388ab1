/**
 * What the in-memory timelines know about each account: eight words and a CLOCK byte by account number, in
 * chunks of typed arrays that are never copied. A directory of fixed size finds the chunk of a number.
 *
 * A chunk holds first the two words of each account that every insert uses, then the six that few inserts,
 * reads and changes of the floor do: so four times as many accounts stay in the processor's cache.
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

/** Words of a header, from where `baseOf` says: the newest block, and the state. */
export const NEWEST = 0
export const STATE = 1

/** Words of a header, from where `coldOf` says: the oldest block, … */
export const OLDEST = 0
const EPOCH_LOW = 1
/** … the largest id trimmed since `open`, as of the last `Rings.noteTrimmed`, … */
const TRIMMED_LOW = 2
const TRIMMED_HIGH = 3
/** … and the floor, with the high bits of the epoch above its 21 bits. */
const FLOOR_LOW = 4
const FLOOR_HIGH = 5

/** State: count, first slot used in the oldest block, first slot unused in the newest, two flags. 0: no header. */
export const COUNT_MASK = 0xffff
export const START_SHIFT = 16
export const END_SHIFT = 20
export const SLOT_MASK = 0xf
const PRESENT = 1 << 24
export const SETTLED = 1 << 25
/** No block yet: the end of a full one makes the first entry ask for a block. */
export const EMPTY = PRESENT | (BLOCK_ENTRIES << END_SHIFT)

export const HIGH_BITS = 21
export const HIGH_MASK = (1 << HIGH_BITS) - 1
export const TWO_32 = 2 ** 32

/** CLOCK byte: absent, may be evicted, spared once. */
export const CLOCK_ABSENT = 0
export const CLOCK_COLD = 1
export const CLOCK_WARM = 2

export class Headers {
  /** Chunk index + 1 by the high bits of an account number; 0: none. Pages of it that are never touched cost no memory. */
  readonly directory = new Uint32Array(DIRECTORY_LENGTH)
  readonly words: Uint32Array[] = []
  readonly clocks: Uint8Array[] = []
  /** Which part of the directory each chunk serves, and how many headers it holds. */
  private readonly ranges: number[] = []
  private readonly living: number[] = []
  timelines = 0

  get bytes(): number {
    return DIRECTORY_BYTES + this.words.length * CHUNK_BYTES
  }

  /** The chunk of an account, or -1. */
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

  /** The chunk whose loss costs least. */
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

  /** A fresh header: nothing trimmed, not settled. */
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
    // Not yet of use to anyone: reading it, or merging into it, is what warms it.
    this.clocks[chunk][index] = CLOCK_COLD
  }

  /** Those that have a header. */
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

/** Where the hot words of an owner begin in its chunk. */
export const baseOf = (owner: number): number => (owner & CHUNK_MASK) << HEADER_SHIFT

/** Where the cold words of a header begin whose hot ones begin at `base`. */
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

/** Trims are kept apart from what `settle` said, so that a later `settle` can go down to them. */
export const floorOf = (words: Uint32Array, base: number): number =>
  Math.max(settledFloorOf(words, base), trimmedOf(words, base))

export function lowerFloor(words: Uint32Array, base: number, floor: number): void {
  if (floor >= settledFloorOf(words, base)) return
  const cold = coldOf(base)
  words[base + STATE] |= SETTLED
  words[cold + FLOOR_LOW] = floor >>> 0
  words[cold + FLOOR_HIGH] = (words[cold + FLOOR_HIGH] & ~HIGH_MASK) | Math.floor(floor / TWO_32)
}
