/**
 * A timeline's ring of blocks: entries packed without gaps from the oldest to the newest, sorted by id.
 * Appending and trimming touch one block each. A block's link is the XOR of its two neighbours, so one word
 * leads from the newest to older ones (reads) and from the oldest to newer ones (trims).
 *
 * A timeline is addressed by its header: `words` of a chunk and `base` in it. An entry is passed as its packed
 * words: `low`, `high` (with the kind above its 21 bits) and `author`, each as an int32 of the same bits: the
 * engine allocates a number above 2^31 whenever it crosses a call.
 */

import {
  COUNT_MASK,
  EMPTY,
  END_SHIFT,
  HIGH_MASK,
  NEWEST,
  OLDEST,
  SETTLED,
  SLOT_MASK,
  START_SHIFT,
  STATE,
  TWO_32,
  raiseTrimmed,
} from './headers.ts'
import {
  BLOCK_ENTRIES,
  BLOCK_NONE,
  BLOCK_WORDS,
  ENTRY_WORDS,
  LINK_WORD,
  SLAB_MASK,
  SLAB_SHIFT,
  type Slabs,
} from './slabs.ts'

/** Must leave at least one block to take, without touching the timeline that asks. */
export type MakeRoom = (words: Uint32Array, base: number) => void

/** One more in count and end. */
const ENTRY_ADDED = 1 + (1 << END_SHIFT)

export class Rings {
  entries = 0
  private readonly slabs: Slabs
  private readonly arrays: readonly Uint32Array[]
  private readonly capacity: number
  private readonly makeRoom: MakeRoom
  /** Blocks of the ring being changed, newest first, as far as they were walked. */
  private readonly chain: Uint32Array
  private chained = 0

  constructor(slabs: Slabs, capacity: number, makeRoom: MakeRoom) {
    this.slabs = slabs
    this.arrays = slabs.slabs
    this.capacity = capacity
    this.makeRoom = makeRoom
    this.chain = new Uint32Array(blocksMax(capacity) + 1)
  }

  /** True when the entry is new and stays. The first lines are the hottest of all: the entry goes to the end. */
  insert(words: Uint32Array, base: number, low: number, high: number, author: number): boolean {
    const state = words[base + STATE] | 0
    const block = words[base + NEWEST] | 0
    const end = (state >>> END_SHIFT) & SLOT_MASK
    const array = this.arrays[block >>> SLAB_SHIFT]
    // Without entries this is the last slot of block 0, which reads as id 0.
    const at = slotWord(block, end)
    const idHigh = high & HIGH_MASK
    const lastHigh = array[at - ENTRY_WORDS + 1] & HIGH_MASK
    if (idHigh < lastHigh || (idHigh === lastHigh && low >>> 0 <= array[at - ENTRY_WORDS])) {
      return this.insertBelow(words, base, low, high, author)
    }
    if (end === BLOCK_ENTRIES || (state & COUNT_MASK) === this.capacity) {
      this.append(words, base, low, high, author)
    } else {
      array[at] = low
      array[at + 1] = high
      array[at + 2] = author
      words[base + STATE] = state + ENTRY_ADDED
      this.entries++
    }
    return true
  }

  /** The entry must be above all others. */
  append(words: Uint32Array, base: number, low: number, high: number, author: number): void {
    if ((words[base + STATE] & COUNT_MASK) === this.capacity) this.trimOldest(words, base)
    if (((words[base + STATE] >>> END_SHIFT) & SLOT_MASK) === BLOCK_ENTRIES) this.addBlock(words, base)
    const state = words[base + STATE] | 0
    const block = words[base + NEWEST] | 0
    const array = this.arrays[block >>> SLAB_SHIFT]
    const at = slotWord(block, (state >>> END_SHIFT) & SLOT_MASK)
    array[at] = low
    array[at + 1] = high
    array[at + 2] = author
    words[base + STATE] = state + ENTRY_ADDED
    this.entries++
  }

  /** Frees all blocks; header and flags stay. */
  clear(words: Uint32Array, base: number): void {
    this.noteTrimmed(words, base)
    let block = words[base + OLDEST]
    let older = BLOCK_NONE
    while (block !== BLOCK_NONE) {
      const newer = this.link(block) ^ older
      this.slabs.give(block)
      older = block
      block = newer
    }
    this.entries -= words[base + STATE] & COUNT_MASK
    this.setEmpty(words, base)
  }

  /** Copies all entries, packed and newest first. @returns how many */
  copyTo(words: Uint32Array, base: number, target: Uint32Array): number {
    const count = words[base + STATE] & COUNT_MASK
    this.chained = 0
    for (let depth = 0; depth < count; depth++) {
      const [array, at] = [this.arrayAt(words, base, depth), this.wordAt(words, base, depth)]
      target[depth * ENTRY_WORDS] = array[at]
      target[depth * ENTRY_WORDS + 1] = array[at + 1]
      target[depth * ENTRY_WORDS + 2] = array[at + 2]
    }
    return count
  }

  /**
   * Brings the header's largest trimmed id up to date. Trims leave it to this: they would have to fetch the
   * oldest block for it each time, which is most of what an insert into a full timeline costs. The entry that
   * went last still stands in the slot before the first one used.
   */
  noteTrimmed(words: Uint32Array, base: number): void {
    const start = (words[base + STATE] >>> START_SHIFT) & SLOT_MASK
    if (start > 0) this.noteSlot(words, base, start - 1)
  }

  private noteSlot(words: Uint32Array, base: number, slot: number): void {
    const block = words[base + OLDEST]
    const array = this.arrays[block >>> SLAB_SHIFT]
    const at = slotWord(block, slot)
    raiseTrimmed(words, base, (array[at + 1] & HIGH_MASK) * TWO_32 + array[at])
  }

  private trimOldest(words: Uint32Array, base: number): void {
    const state = words[base + STATE] | 0
    const start = (state >>> START_SHIFT) & SLOT_MASK
    this.entries--
    if (start + 1 < BLOCK_ENTRIES && (state & COUNT_MASK) > 1) {
      words[base + STATE] = state - 1 + (1 << START_SHIFT)
      return
    }
    this.noteSlot(words, base, start)
    if ((state & COUNT_MASK) > 1) {
      words[base + STATE] = state - 1 - (start << START_SHIFT)
      this.dropOldestBlock(words, base)
    } else {
      this.slabs.give(words[base + OLDEST])
      this.setEmpty(words, base)
    }
  }

  private dropOldestBlock(words: Uint32Array, base: number): void {
    const block = words[base + OLDEST]
    const newer = this.link(block)
    this.relink(newer, block)
    words[base + OLDEST] = newer
    this.slabs.give(block)
  }

  private addBlock(words: Uint32Array, base: number): void {
    let block = this.slabs.take()
    if (block === BLOCK_NONE) {
      this.makeRoom(words, base)
      block = this.slabs.take()
    }
    const newest = words[base + NEWEST]
    this.arrays[block >>> SLAB_SHIFT][slotWord(block, 0) + LINK_WORD] = newest
    if (newest === BLOCK_NONE) words[base + OLDEST] = block
    else this.relink(newest, block)
    words[base + NEWEST] = block
    words[base + STATE] &= ~(SLOT_MASK << END_SHIFT)
  }

  /** Out of order: the newer entries move up by one. Nearly always these are few. */
  private insertBelow(words: Uint32Array, base: number, low: number, high: number, author: number): boolean {
    const id = (high & HIGH_MASK) * TWO_32 + (low >>> 0)
    const depth = this.depthOf(words, base, id)
    const count = words[base + STATE] & COUNT_MASK
    if (depth < count && this.idAt(words, base, depth) === id) return false
    if (count === this.capacity) {
      if (depth === count) {
        raiseTrimmed(words, base, id)
        return false
      }
      this.trimOldest(words, base)
    }
    this.append(words, base, low, high, author)
    this.chained = 0
    for (let d = 0; d < depth; d++) this.copyEntry(words, base, d + 1, d)
    this.write(words, base, depth, low, high, author)
    return true
  }

  /** How many entries are above `id`. */
  private depthOf(words: Uint32Array, base: number, id: number): number {
    const count = words[base + STATE] & COUNT_MASK
    this.chained = 0
    let depth = 0
    while (depth < count && this.idAt(words, base, depth) > id) depth++
    return depth
  }

  private copyEntry(words: Uint32Array, base: number, from: number, to: number): void {
    const array = this.arrayAt(words, base, from)
    const at = this.wordAt(words, base, from)
    this.write(words, base, to, array[at] | 0, array[at + 1] | 0, array[at + 2] | 0)
  }

  private write(
    words: Uint32Array,
    base: number,
    depth: number,
    low: number,
    high: number,
    author: number,
  ): void {
    const array = this.arrayAt(words, base, depth)
    const at = this.wordAt(words, base, depth)
    array[at] = low
    array[at + 1] = high
    array[at + 2] = author
  }

  private idAt(words: Uint32Array, base: number, depth: number): number {
    const array = this.arrayAt(words, base, depth)
    const at = this.wordAt(words, base, depth)
    return (array[at + 1] & HIGH_MASK) * TWO_32 + array[at]
  }

  private arrayAt(words: Uint32Array, base: number, depth: number): Uint32Array {
    return this.arrays[this.blockAt(words, base, depth) >>> SLAB_SHIFT]
  }

  private wordAt(words: Uint32Array, base: number, depth: number): number {
    const back = slotsBack(words[base + STATE], depth)
    return slotWord(this.blockAt(words, base, depth), BLOCK_ENTRIES - 1 - (back % BLOCK_ENTRIES))
  }

  /** The block that holds the entry `depth` below the newest; walks the links once per change. */
  private blockAt(words: Uint32Array, base: number, depth: number): number {
    const position = Math.floor(slotsBack(words[base + STATE], depth) / BLOCK_ENTRIES)
    const chain = this.chain
    if (this.chained === 0) chain[this.chained++] = words[base + NEWEST]
    while (this.chained <= position) {
      const last = this.chained - 1
      chain[this.chained++] = this.link(chain[last]) ^ (last === 0 ? BLOCK_NONE : chain[last - 1])
    }
    return chain[position]
  }

  private link(block: number): number {
    return this.arrays[block >>> SLAB_SHIFT][slotWord(block, 0) + LINK_WORD]
  }

  /** Adds `neighbour` to a block's link, or takes it out: the same with XOR. */
  private relink(block: number, neighbour: number): void {
    this.arrays[block >>> SLAB_SHIFT][slotWord(block, 0) + LINK_WORD] ^= neighbour
  }

  private setEmpty(words: Uint32Array, base: number): void {
    words[base + NEWEST] = BLOCK_NONE
    words[base + OLDEST] = BLOCK_NONE
    words[base + STATE] = EMPTY | (words[base + STATE] & SETTLED)
  }
}

/** The most blocks a timeline can have: a full one whose oldest block holds a single entry. */
export const blocksMax = (capacity: number): number =>
  Math.ceil((capacity + BLOCK_ENTRIES - 1) / BLOCK_ENTRIES)

export const slotWord = (block: number, slot: number): number =>
  (block & SLAB_MASK) * BLOCK_WORDS + slot * ENTRY_WORDS

/** Slots between an entry and the end of the newest block. */
const slotsBack = (state: number, depth: number): number =>
  depth + BLOCK_ENTRIES - ((state >>> END_SHIFT) & SLOT_MASK)
