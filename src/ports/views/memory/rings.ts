/**
 * A timeline's ring of blocks: its entries, sorted by id and packed without gaps from the oldest to the newest. Appending
 * and trimming touch one block each. A block's link is the XOR of its two neighbours, so that one word leads from the
 * newest block to older ones (for reads) and from the oldest to newer ones (for trims).
 *
 * A timeline is addressed by its header: the `words` of a chunk, and `base` in it. An entry is passed as its packed words
 * `low`, `high` (the kind is above its 21 bits) and `ref`, each as an int32 with the same bits: V8 allocates an object
 * whenever a number above 2^31 is passed to a call.
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
  coldOf,
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

/** Makes at least one block free, without touching the timeline that needs it. */
type MakeRoom = (words: Uint32Array, base: number) => void

const LAST_SLOT = BLOCK_ENTRIES - 1
const FOUND = -1
/** Added to the state for a new entry: count and end rise by one. */
const ENTRY_ADDED = 1 + (1 << END_SHIFT)
/** Added to the state when a new entry replaces the oldest: end and start rise by one. */
const ENTRY_REPLACED = (1 << END_SHIFT) + (1 << START_SHIFT)

export class Rings {
  entries = 0
  private readonly slabs: Slabs
  private readonly arrays: readonly Uint32Array[]
  private readonly capacity: number
  private readonly makeRoom: MakeRoom

  constructor(slabs: Slabs, capacity: number, makeRoom: MakeRoom) {
    this.slabs = slabs
    this.arrays = slabs.slabs
    this.capacity = capacity
    this.makeRoom = makeRoom
  }

  /** True when the entry is new and stays. Its first lines, for an entry that is the newest, are the hottest of all. */
  insert(words: Uint32Array, base: number, low: number, high: number, ref: number): boolean {
    const state = words[base + STATE] | 0
    const block = words[base + NEWEST] | 0
    const end = (state >>> END_SHIFT) & SLOT_MASK
    const array = this.arrays[block >>> SLAB_SHIFT]
    // In an empty timeline this is the last slot of block 0, which reads as id 0.
    const at = slotWord(block, end)
    const idHigh = high & HIGH_MASK
    const lastHigh = array[at - ENTRY_WORDS + 1] & HIGH_MASK
    if (idHigh < lastHigh || (idHigh === lastHigh && low >>> 0 <= array[at - ENTRY_WORDS])) {
      return this.insertBelow(words, base, low, high, ref)
    }
    const isFull = (state & COUNT_MASK) === this.capacity
    if (end === BLOCK_ENTRIES || (isFull && ((state >>> START_SHIFT) & SLOT_MASK) === LAST_SLOT)) {
      this.append(words, base, low, high, ref)
      return true
    }
    array[at] = low
    array[at + 1] = high
    array[at + 2] = ref
    words[base + STATE] = state + (isFull ? ENTRY_REPLACED : ENTRY_ADDED)
    if (!isFull) this.entries++
    return true
  }

  /** The entry must be newer than all others. */
  append(words: Uint32Array, base: number, low: number, high: number, ref: number): void {
    if ((words[base + STATE] & COUNT_MASK) === this.capacity) this.trimOldest(words, base)
    if (((words[base + STATE] >>> END_SHIFT) & SLOT_MASK) === BLOCK_ENTRIES) this.addBlock(words, base)
    const state = words[base + STATE] | 0
    const block = words[base + NEWEST] | 0
    const array = this.arrays[block >>> SLAB_SHIFT]
    const at = slotWord(block, (state >>> END_SHIFT) & SLOT_MASK)
    array[at] = low
    array[at + 1] = high
    array[at + 2] = ref
    words[base + STATE] = state + ENTRY_ADDED
    this.entries++
  }

  /** Frees all blocks; the header and its flags stay. */
  clear(words: Uint32Array, base: number): void {
    this.noteTrimmed(words, base)
    let block = words[coldOf(base) + OLDEST]
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
    let block = words[base + NEWEST]
    let newer = BLOCK_NONE
    let slot = (words[base + STATE] >>> END_SHIFT) & SLOT_MASK
    for (let to = 0; to < count * ENTRY_WORDS; to += ENTRY_WORDS) {
      if (slot === 0) {
        const older = this.link(block) ^ newer
        newer = block
        block = older
        slot = BLOCK_ENTRIES
      }
      const array = this.arrays[block >>> SLAB_SHIFT]
      const at = slotWord(block, --slot)
      target[to] = array[at]
      target[to + 1] = array[at + 1]
      target[to + 2] = array[at + 2]
    }
    return count
  }

  /**
   * Brings the header's largest trimmed id up to date. A trim does not do it, because it would have to fetch the oldest
   * block, which would be most of the cost of an insert into a full timeline. The entry that was trimmed last is still in
   * the slot before the first used one.
   */
  noteTrimmed(words: Uint32Array, base: number): void {
    const start = (words[base + STATE] >>> START_SHIFT) & SLOT_MASK
    if (start > 0) this.noteSlot(words, base, start - 1)
  }

  private noteSlot(words: Uint32Array, base: number, slot: number): void {
    const block = words[coldOf(base) + OLDEST]
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
      this.slabs.give(words[coldOf(base) + OLDEST])
      this.setEmpty(words, base)
    }
  }

  private dropOldestBlock(words: Uint32Array, base: number): void {
    const block = words[coldOf(base) + OLDEST]
    const newer = this.link(block)
    this.relink(newer, block)
    words[coldOf(base) + OLDEST] = newer
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
    if (newest === BLOCK_NONE) words[coldOf(base) + OLDEST] = block
    else this.relink(newest, block)
    words[base + NEWEST] = block
    words[base + STATE] &= ~(SLOT_MASK << END_SHIFT)
  }

  /** Inserts an entry that is not the newest: the newer ones, nearly always few, move up by one. */
  private insertBelow(words: Uint32Array, base: number, low: number, high: number, ref: number): boolean {
    const depth = this.depthOf(words, base, low >>> 0, high & HIGH_MASK)
    if (depth === FOUND) return false
    const count = words[base + STATE] & COUNT_MASK
    if (count === this.capacity) {
      if (depth === count) {
        raiseTrimmed(words, base, (high & HIGH_MASK) * TWO_32 + (low >>> 0))
        return false
      }
      this.trimOldest(words, base)
    }
    this.append(words, base, low, high, ref)
    this.sink(words, base, depth, low, high, ref)
    return true
  }

  /** @returns how many entries are newer than an id, given in two parts; `FOUND` if the id is there */
  private depthOf(words: Uint32Array, base: number, idLow: number, idHigh: number): number {
    const state = words[base + STATE]
    const oldest = words[coldOf(base) + OLDEST]
    let block = words[base + NEWEST]
    let newer = BLOCK_NONE
    let slot = (state >>> END_SHIFT) & SLOT_MASK
    for (let depth = 0; ;) {
      const array = this.arrays[block >>> SLAB_SHIFT]
      const first = block === oldest ? (state >>> START_SHIFT) & SLOT_MASK : 0
      if (isAbove(array, slotWord(block, first), idLow, idHigh)) {
        // The whole block is newer.
        depth += slot - first
        slot = first
      }
      for (; slot > first; depth++) {
        const at = slotWord(block, --slot)
        const high = array[at + 1] & HIGH_MASK
        if (high < idHigh || (high === idHigh && array[at] < idLow)) return depth
        if (high === idHigh && array[at] === idLow) return FOUND
      }
      if (block === oldest) return depth
      const older = this.link(block) ^ newer
      newer = block
      block = older
      slot = BLOCK_ENTRIES
    }
  }

  /** Puts an entry `depth` places below the newest. The newest slot is free: the entries between move up by one. */
  private sink(
    words: Uint32Array,
    base: number,
    depth: number,
    low: number,
    high: number,
    ref: number,
  ): void {
    let block = words[base + NEWEST]
    let newer = BLOCK_NONE
    let slot = ((words[base + STATE] >>> END_SHIFT) & SLOT_MASK) - 1
    let array = this.arrays[block >>> SLAB_SHIFT]
    let at = slotWord(block, slot)
    for (let left = depth; left > 0; left--) {
      if (slot === 0) {
        const older = this.link(block) ^ newer
        newer = block
        block = older
        slot = BLOCK_ENTRIES
      }
      const from = slotWord(block, --slot)
      const source = this.arrays[block >>> SLAB_SHIFT]
      array[at] = source[from]
      array[at + 1] = source[from + 1]
      array[at + 2] = source[from + 2]
      array = source
      at = from
    }
    array[at] = low
    array[at + 1] = high
    array[at + 2] = ref
  }

  private link(block: number): number {
    return this.arrays[block >>> SLAB_SHIFT][slotWord(block, 0) + LINK_WORD]
  }

  /** Adds `neighbour` to a block's link, or removes it: with XOR, both are the same. */
  private relink(block: number, neighbour: number): void {
    this.arrays[block >>> SLAB_SHIFT][slotWord(block, 0) + LINK_WORD] ^= neighbour
  }

  private setEmpty(words: Uint32Array, base: number): void {
    words[base + NEWEST] = BLOCK_NONE
    words[coldOf(base) + OLDEST] = BLOCK_NONE
    words[base + STATE] = EMPTY | (words[base + STATE] & SETTLED)
  }
}

/** Whether the entry at `at` has a larger id than the one given in two parts. */
export function isAbove(array: Uint32Array, at: number, idLow: number, idHigh: number): boolean {
  const high = array[at + 1] & HIGH_MASK
  return high > idHigh || (high === idHigh && array[at] > idLow)
}

/** The most blocks that a timeline can have: those of a full one whose oldest block holds a single entry. */
export const blocksMax = (capacity: number): number =>
  Math.ceil((capacity + BLOCK_ENTRIES - 1) / BLOCK_ENTRIES)

export const slotWord = (block: number, slot: number): number =>
  (block & SLAB_MASK) * BLOCK_WORDS + slot * ENTRY_WORDS
