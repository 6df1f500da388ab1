/**
 * What the in-memory timelines know about each account: eight words and a CLOCK byte by account number, in
 * chunks of typed arrays that are never copied. A directory of fixed size finds the chunk of a number.
 *
 * A chunk holds first the four words of each account that inserts use, then the four that only reads and
 * changes of the floor do: so twice as many accounts stay in the processor's cache.
 */

import { BLOCK_ENTRIES } from './slabs.ts'

export const CHUNK_SHIFT = 13
export const CHUNK_ACCOUNTS = 1 << CHUNK_SHIFT
export const CHUNK_MASK = CHUNK_ACCOUNTS - 1
export const HEADER_SHIFT = 2
/** Words of one account in each half of a chunk. */
const HALF_WORDS = 1 << HEADER_SHIFT
const COLD_HALF = CHUNK_ACCOUNTS * HALF_WORDS
export const CHUNK_BYTES = CHUNK_ACCOUNTS * (2 * HALF_WORDS * 4 + 1)
const DIRECTORY_LENGTH = 2 ** 32 / CHUNK_ACCOUNTS
export const DIRECTORY_BYTES = DIRECTORY_LENGTH * 4

/** Words of a header, from where `baseOf` says. */
export const NEWEST = 0
export const OLDEST = 1
export const STATE = 2
const EPOCH_LOW = 3
/** Largest id trimmed since `open`, as of the last `Rings.noteTrimmed`. */
const TRIMMED_LOW = COLD_HALF
const TRIMMED_HIGH = COLD_HALF + 1
const FLOOR_LOW = COLD_HALF + 2
/** With the high bits of the epoch above its 21 bits. */
const FLOOR_HIGH = COLD_HALF + 3

/** State: count, first slot used in the oldest block, first slot unused in the newest, two flags. 0: no header. */
export const COUNT_MASK = 0xffff
export const START_SHIFT = 16
export const END_SHIFT = 20
export const SLOT_MASK = 0xf
export const PRESENT = 1 << 24
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
    this.words.push(new Uint32Array(2 * COLD_HALF))
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
    words.fill(0, base, base + HALF_WORDS)
    words.fill(0, base + COLD_HALF, base + COLD_HALF + HALF_WORDS)
    words[base + STATE] = EMPTY
    words[base + FLOOR_HIGH] = Math.floor(epoch / TWO_32) << HIGH_BITS
    words[base + EPOCH_LOW] = epoch >>> 0
    // Not yet of use to anyone: reading it, or merging into it, is what warms it.
    this.clocks[chunk][index] = CLOCK_COLD
  }

  remove(chunk: number, index: number): void {
    this.words[chunk][(index << HEADER_SHIFT) + STATE] = 0
    this.clocks[chunk][index] = CLOCK_ABSENT
    this.living[chunk]--
    this.timelines--
  }
}

/** Where an owner's header begins in its chunk. */
export const baseOf = (owner: number): number => (owner & CHUNK_MASK) << HEADER_SHIFT

export const epochOf = (words: Uint32Array, base: number): number =>
  (words[base + FLOOR_HIGH] >>> HIGH_BITS) * TWO_32 + words[base + EPOCH_LOW]

export const trimmedOf = (words: Uint32Array, base: number): number =>
  words[base + TRIMMED_HIGH] * TWO_32 + words[base + TRIMMED_LOW]

export function raiseTrimmed(words: Uint32Array, base: number, id: number): void {
  if (id <= trimmedOf(words, base)) return
  words[base + TRIMMED_LOW] = id >>> 0
  words[base + TRIMMED_HIGH] = Math.floor(id / TWO_32)
}

const settledFloorOf = (words: Uint32Array, base: number): number =>
  (words[base + STATE] & SETTLED) === 0
    ? Infinity
    : (words[base + FLOOR_HIGH] & HIGH_MASK) * TWO_32 + words[base + FLOOR_LOW]

/** Trims are kept apart from what `settle` said, so that a later `settle` can go down to them. */
export const floorOf = (words: Uint32Array, base: number): number =>
  Math.max(settledFloorOf(words, base), trimmedOf(words, base))

export function lowerFloor(words: Uint32Array, base: number, floor: number): void {
  if (floor >= settledFloorOf(words, base)) return
  words[base + STATE] |= SETTLED
  words[base + FLOOR_LOW] = floor >>> 0
  words[base + FLOOR_HIGH] = (words[base + FLOOR_HIGH] & ~HIGH_MASK) | Math.floor(floor / TWO_32)
}
