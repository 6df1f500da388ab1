/** Reads a ring into a page, from the newest entry down, block by block. */

import { COUNT_MASK, END_SHIFT, HIGH_BITS, HIGH_MASK, NEWEST, SLOT_MASK, STATE, TWO_32 } from './headers.ts'
import type { Page, Pages } from '../pages.ts'
import { slotWord } from './rings.ts'
import { BLOCK_ENTRIES, BLOCK_NONE, ENTRY_WORDS, LINK_WORD, SLAB_SHIFT } from './slabs.ts'

export class Reader {
  private readonly arrays: readonly Uint32Array[]
  private readonly pages: Pages
  private block = BLOCK_NONE
  private newer = BLOCK_NONE
  /** The slot of the next entry to read, and how many entries there are from it down. */
  private slot = 0
  private left = 0

  constructor(arrays: readonly Uint32Array[], pages: Pages) {
    this.arrays = arrays
    this.pages = pages
  }

  read(words: Uint32Array, base: number, below: number, limit: number): Page {
    this.block = words[base + NEWEST]
    this.newer = BLOCK_NONE
    this.slot = ((words[base + STATE] >>> END_SHIFT) & SLOT_MASK) - 1
    this.left = words[base + STATE] & COUNT_MASK
    this.skipTo(below)
    const page = this.pages.take(Math.max(0, Math.min(limit, this.left)))
    this.fill(page)
    return page
  }

  private skipTo(below: number): void {
    while (this.left > 0) {
      const inBlock = Math.min(this.slot + 1, this.left)
      if (this.idAt(this.slot + 1 - inBlock) < below) break
      this.nextBlock(inBlock)
    }
    while (this.left > 0 && this.idAt(this.slot) >= below) {
      this.slot--
      this.left--
    }
  }

  private fill(page: Page): void {
    let row = 0
    while (row < page.length) {
      const array = this.arrays[this.block >>> SLAB_SHIFT]
      const inBlock = Math.min(this.slot + 1, page.length - row)
      let at = slotWord(this.block, this.slot)
      for (const end = row + inBlock; row < end; row++) {
        page.ids[row] = (array[at + 1] & HIGH_MASK) * TWO_32 + array[at]
        page.kinds[row] = array[at + 1] >>> HIGH_BITS
        page.refs[row] = array[at + 2]
        at -= ENTRY_WORDS
      }
      this.nextBlock(inBlock)
    }
  }

  private nextBlock(entries: number): void {
    const link = this.arrays[this.block >>> SLAB_SHIFT][slotWord(this.block, 0) + LINK_WORD]
    const older = link ^ this.newer
    this.newer = this.block
    this.block = older
    this.slot = BLOCK_ENTRIES - 1
    this.left -= entries
  }

  private idAt(slot: number): number {
    const array = this.arrays[this.block >>> SLAB_SHIFT]
    const at = slotWord(this.block, slot)
    return (array[at + 1] & HIGH_MASK) * TWO_32 + array[at]
  }
}
