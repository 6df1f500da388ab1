/**
 * Inserts entries into the timelines of their owners, in groups of owners. Timelines of random accounts are in no cache,
 * so an insert waits for its header, and then for its block. Loads that do not depend on each other overlap: reading all
 * headers of a group first, and then all its blocks, costs a fraction of the same cache misses one after the other. A
 * group may span several posts, since most posts have few followers.
 */

import {
  CHUNK_SHIFT,
  COUNT_MASK,
  END_SHIFT,
  type Headers,
  NEWEST,
  OLDEST,
  SLOT_MASK,
  START_SHIFT,
  STATE,
  coldOf,
  baseOf,
} from './headers.ts'
import type { LatestRings } from './latest.ts'
import { packHigh } from './merger.ts'
import { type Rings, slotWord } from './rings.ts'
import { BLOCK_ENTRIES, SLAB_SHIFT, type Slabs } from './slabs.ts'
import type { InsertCounts, Spread } from '../views.ts'

/** Enough for loads to overlap, and few enough that all of it is still in a near cache when it is used. */
const GROUP_OWNERS = 256
const LAST_SLOT = BLOCK_ENTRIES - 1

export class Spreader {
  /** Takes the results of the early loads, so that the compiler does not drop them. */
  sink = 0
  private readonly directory: Uint32Array
  private readonly headers: readonly Uint32Array[]
  private readonly arrays: readonly Uint32Array[]
  private readonly rings: Rings
  private readonly latest: LatestRings | undefined
  private readonly capacity: number
  /** For each owner of a group: the index of its spread, its chunk + 1 (0: none), and the base of its header. */
  private readonly sources = new Int32Array(GROUP_OWNERS)
  private readonly chunks = new Int32Array(GROUP_OWNERS)
  private readonly bases = new Int32Array(GROUP_OWNERS)
  /** Slab, and word in it, of each newest entry, and of each oldest entry whose block this insert will free. */
  private readonly slabs = new Int32Array(2 * GROUP_OWNERS)
  private readonly words = new Int32Array(2 * GROUP_OWNERS)

  /** @param latest given if only the newest entry of each ref is kept */
  constructor(
    headers: Headers,
    slabs: Slabs,
    rings: Rings,
    latest: LatestRings | undefined,
    capacity: number,
  ) {
    this.directory = headers.directory
    this.headers = headers.words
    this.arrays = slabs.slabs
    this.rings = rings
    this.latest = latest
    this.capacity = capacity
  }

  spread(spreads: readonly Spread[]): InsertCounts {
    const counts = { inserted: 0, absent: 0 }
    let size = 0
    for (let spread = 0; spread < spreads.length; spread++) {
      const { owners } = spreads[spread]
      for (let from = 0; from < owners.length;) {
        const to = Math.min(owners.length, from + GROUP_OWNERS - size)
        size = this.gather(spread, owners, from, to, size)
        from = to
        if (size < GROUP_OWNERS) continue
        this.insert(spreads, size, counts)
        size = 0
      }
    }
    this.insert(spreads, size, counts)
    return counts
  }

  /** Adds owners to the group. @returns its size */
  private gather(spread: number, owners: Uint32Array, from: number, to: number, size: number): number {
    const { directory, sources, chunks, bases } = this
    for (let i = from; i < to; i++) {
      const owner = owners[i]
      sources[size] = spread
      chunks[size] = directory[owner >>> CHUNK_SHIFT]
      bases[size++] = baseOf(owner)
    }
    return size
  }

  private touchHeaders(size: number): void {
    const { headers, chunks, bases } = this
    let sink = 0
    for (let i = 0; i < size; i++) {
      const chunk = chunks[i]
      if (chunk !== 0) sink ^= headers[chunk - 1][bases[i] + STATE] | 0
    }
    this.sink = sink
  }

  /** @returns how many words to touch */
  private locate(size: number): number {
    const { headers, chunks, bases, slabs, words, capacity } = this
    let count = 0
    for (let i = 0; i < size; i++) {
      const chunk = chunks[i]
      if (chunk === 0) continue
      const header = headers[chunk - 1]
      const base = bases[i]
      const state = header[base + STATE] | 0
      if (state === 0) continue
      const newest = header[base + NEWEST] | 0
      slabs[count] = newest >>> SLAB_SHIFT
      words[count++] = slotWord(newest, (state >>> END_SHIFT) & SLOT_MASK) - 1
      if ((state & COUNT_MASK) !== capacity || ((state >>> START_SHIFT) & SLOT_MASK) !== LAST_SLOT) continue
      const oldest = header[coldOf(base) + OLDEST] | 0
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

  private insert(spreads: readonly Spread[], size: number, counts: Counts): void {
    this.touchHeaders(size)
    this.touchBlocks(this.locate(size))
    if (this.latest !== undefined) return this.insertLatest(this.latest, spreads, size, counts)
    const { headers, sources, chunks, bases, rings } = this
    let source = -1
    let [low, high, ref] = [0, 0, 0]
    let [inserted, absent] = [0, 0]
    for (let i = 0; i < size; i++) {
      if (sources[i] !== source) {
        source = sources[i]
        const spread = spreads[source]
        low = spread.id | 0
        high = packHigh(spread.id, spread.kind)
        ref = spread.ref | 0
      }
      const chunk = chunks[i]
      if (chunk === 0 || headers[chunk - 1][bases[i] + STATE] === 0) absent++
      else if (rings.insert(headers[chunk - 1], bases[i], low, high, ref)) inserted++
    }
    counts.inserted += inserted
    counts.absent += absent
  }

  /** Apart from `insert`, whose call of `Rings.insert` the compiler inlines only while no other class is called there. */
  private insertLatest(latest: LatestRings, spreads: readonly Spread[], size: number, counts: Counts): void {
    const { headers, sources, chunks, bases } = this
    for (let i = 0; i < size; i++) {
      const { id, ref, kind } = spreads[sources[i]]
      const chunk = chunks[i]
      if (chunk === 0 || headers[chunk - 1][bases[i] + STATE] === 0) counts.absent++
      else if (latest.insert(headers[chunk - 1], bases[i], id | 0, packHigh(id, kind), ref | 0))
        counts.inserted++
    }
  }
}

interface Counts {
  inserted: number
  absent: number
}
