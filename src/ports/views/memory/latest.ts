/**
 * Inserts into rings that keep of each ref only the entry with the largest id. An entry of a ref that is in the ring
 * already takes the place of the older one: the entries between the two places move down by one, and the ring neither
 * grows nor trims. The ref is looked for from the newest entry down, since what is talked about now was talked about
 * lately.
 */

import { END_SHIFT, HIGH_MASK, NEWEST, SLOT_MASK, STATE, COUNT_MASK } from './headers.ts'
import { isAbove, type Rings, slotWord } from './rings.ts'
import { BLOCK_ENTRIES, BLOCK_NONE, LINK_WORD, SLAB_SHIFT, type Slabs } from './slabs.ts'

/** Values of `depthOf` besides depths: the ref is not in the ring, or is there with an id at least as large. */
const ABSENT = -1
const STANDS = -2

export class LatestRings {
  private readonly rings: Rings
  private readonly arrays: readonly Uint32Array[]

  constructor(rings: Rings, slabs: Slabs) {
    this.rings = rings
    this.arrays = slabs.slabs
  }

  /** True when the entry is new and stays. Takes an entry as `Rings` does. */
  insert(words: Uint32Array, base: number, low: number, high: number, ref: number): boolean {
    const depth = this.depthOf(words, base, low, high, ref)
    if (depth === STANDS) return false
    if (depth === ABSENT) return this.rings.insert(words, base, low, high, ref)
    this.replace(words, base, depth, low, high, ref)
    return true
  }

  /** @returns how many entries are newer than the one of this ref, if that is to be replaced */
  private depthOf(words: Uint32Array, base: number, low: number, high: number, ref: number): number {
    const count = words[base + STATE] & COUNT_MASK
    const wanted = ref >>> 0
    let block = words[base + NEWEST]
    let newer = BLOCK_NONE
    let slot = (words[base + STATE] >>> END_SHIFT) & SLOT_MASK
    for (let depth = 0; depth < count; depth++) {
      if (slot === 0) {
        const older = this.link(block) ^ newer
        newer = block
        block = older
        slot = BLOCK_ENTRIES
      }
      const array = this.arrays[block >>> SLAB_SHIFT]
      const at = slotWord(block, --slot)
      if (array[at + 2] === wanted) return isBelow(array, at, low >>> 0, high & HIGH_MASK) ? depth : STANDS
    }
    return ABSENT
  }

  /** Writes an entry in its place, and moves the entries from there to `depth` down by one; the one at `depth` goes. */
  private replace(
    words: Uint32Array,
    base: number,
    depth: number,
    low: number,
    high: number,
    ref: number,
  ): void {
    let block = words[base + NEWEST]
    let newer = BLOCK_NONE
    let slot = (words[base + STATE] >>> END_SHIFT) & SLOT_MASK
    for (let left = depth; left >= 0; left--) {
      if (slot === 0) {
        const older = this.link(block) ^ newer
        newer = block
        block = older
        slot = BLOCK_ENTRIES
      }
      const array = this.arrays[block >>> SLAB_SHIFT]
      const at = slotWord(block, --slot)
      if (isAbove(array, at, low >>> 0, high & HIGH_MASK)) continue
      const [lowHere, highHere, refHere] = [array[at] | 0, array[at + 1] | 0, array[at + 2] | 0]
      array[at] = low
      array[at + 1] = high
      array[at + 2] = ref
      low = lowHere
      high = highHere
      ref = refHere
    }
  }

  private link(block: number): number {
    return this.arrays[block >>> SLAB_SHIFT][slotWord(block, 0) + LINK_WORD]
  }
}

/** Whether the entry at `at` has a smaller id than the one given in two parts. */
function isBelow(array: Uint32Array, at: number, idLow: number, idHigh: number): boolean {
  const high = array[at + 1] & HIGH_MASK
  return high < idHigh || (high === idHigh && array[at] < idLow)
}
