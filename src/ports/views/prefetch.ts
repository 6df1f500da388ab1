/**
 * Loads what a run of inserts is about to need. Timelines of random accounts are nowhere near a cache, and one
 * insert waits for its header, then for its block. Loads that do not depend on each other overlap: reading
 * first all headers of a group, then all blocks, costs a fraction of the same misses one after the other.
 */

import {
  COUNT_MASK,
  OLDEST,
  START_SHIFT,
  CHUNK_SHIFT,
  END_SHIFT,
  type Headers,
  NEWEST,
  SLOT_MASK,
  STATE,
  baseOf,
} from './headers.ts'
import { slotWord } from './rings.ts'
import { BLOCK_ENTRIES, SLAB_SHIFT, type Slabs } from './slabs.ts'

/** Enough to overlap; few enough that all of it is still in the first cache when it is used. */
export const GROUP_OWNERS = 128

const LAST_SLOT = BLOCK_ENTRIES - 1

export class Prefetch {
  /** Makes the loads count as used. */
  sink = 0
  private readonly directory: Uint32Array
  private readonly chunks: readonly Uint32Array[]
  private readonly arrays: readonly Uint32Array[]
  private readonly capacity: number
  /** Where the newest entry of each timeline stands, and the oldest if its block will go: slab, and word in it. */
  private readonly slabs = new Int32Array(2 * GROUP_OWNERS)
  private readonly words = new Int32Array(2 * GROUP_OWNERS)

  constructor(headers: Headers, slabs: Slabs, capacity: number) {
    this.directory = headers.directory
    this.chunks = headers.words
    this.arrays = slabs.slabs
    this.capacity = capacity
  }

  /** At most `GROUP_OWNERS` owners. */
  touch(owners: Uint32Array, from: number, to: number): void {
    this.touchHeaders(owners, from, to)
    this.touchBlocks(this.locate(owners, from, to))
  }

  private touchHeaders(owners: Uint32Array, from: number, to: number): void {
    const { directory, chunks } = this
    let sink = 0
    for (let i = from; i < to; i++) {
      const chunk = directory[owners[i] >>> CHUNK_SHIFT] | 0
      if (chunk !== 0) sink ^= chunks[chunk - 1][baseOf(owners[i]) + STATE] | 0
    }
    this.sink = sink
  }

  /** @returns how many places */
  private locate(owners: Uint32Array, from: number, to: number): number {
    const { directory, chunks, slabs, words, capacity } = this
    let count = 0
    for (let i = from; i < to; i++) {
      const chunk = directory[owners[i] >>> CHUNK_SHIFT] | 0
      if (chunk === 0) continue
      const header = chunks[chunk - 1]
      const base = baseOf(owners[i])
      const state = header[base + STATE] | 0
      if (state === 0) continue
      const newest = header[base + NEWEST] | 0
      slabs[count] = newest >>> SLAB_SHIFT
      words[count++] = slotWord(newest, (state >>> END_SHIFT) & SLOT_MASK) - 1
      if ((state & COUNT_MASK) !== capacity || ((state >>> START_SHIFT) & SLOT_MASK) !== LAST_SLOT) continue
      const oldest = header[base + OLDEST] | 0
      slabs[count] = oldest >>> SLAB_SHIFT
      words[count++] = slotWord(oldest, LAST_SLOT)
    }
    return count
  }

  private touchBlocks(count: number): void {
    const { arrays, slabs, words } = this
    let sink = 0
    for (let i = 0; i < count; i++) sink ^= arrays[slabs[i]][words[i]] | 0
    this.sink ^= sink
  }
}
