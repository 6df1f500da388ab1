/**
 * Merges many entries into one timeline: the union of both sorted runs is written as a new ring. That is cheaper than
 * inserting one entry after the other, each of which would move the newer ones.
 */

import { HIGH_BITS, HIGH_MASK, TWO_32, raiseTrimmed } from './headers.ts'
import type { Rings } from './rings.ts'
import { ENTRY_WORDS } from './slabs.ts'
import { RefSet } from '../ref-set.ts'
import type { Entries, Keep } from '../views.ts'

export class Merger {
  private readonly rings: Rings
  private readonly capacity: number
  private readonly present: Uint32Array
  private readonly union: Uint32Array
  /** The refs that `union` holds already, where only the newest entry of a ref is kept. */
  private readonly taken: RefSet | undefined

  constructor(rings: Rings, capacity: number, keep: Keep) {
    this.rings = rings
    this.capacity = capacity
    this.present = new Uint32Array(capacity * ENTRY_WORDS)
    this.union = new Uint32Array(capacity * ENTRY_WORDS)
    this.taken = keep === 'latest' ? new RefSet(capacity + 1) : undefined
  }

  get bytes(): number {
    return this.present.byteLength + this.union.byteLength + (this.taken?.bytes ?? 0)
  }

  merge(words: Uint32Array, base: number, entries: Entries): void {
    const count = this.rings.copyTo(words, base, this.present)
    const kept = this.unite(words, base, count, entries)
    this.rings.clear(words, base)
    for (let at = (kept - 1) * ENTRY_WORDS; at >= 0; at -= ENTRY_WORDS) {
      this.rings.append(words, base, this.union[at] | 0, this.union[at + 1] | 0, this.union[at + 2] | 0)
    }
  }

  /** Fills `union`, newest first; entries without room count as trimmed. @returns how many it holds */
  private unite(words: Uint32Array, base: number, count: number, entries: Entries): number {
    const { taken } = this
    let [fromPresent, fromNew, kept] = [0, 0, 0]
    taken?.begin(this.capacity + 1)
    for (;;) {
      const presentId = fromPresent < count ? idOf(this.present, fromPresent) : -1
      const newId = fromNew < entries.length ? entries.ids[fromNew] : -1
      const id = Math.max(presentId, newId)
      if (id < 0) return kept
      const isPresent = id === presentId
      const ref = isPresent ? refOf(this.present, fromPresent) : entries.refs[fromNew]
      // A ref that is taken already has a newer entry, which replaces this one.
      if (taken === undefined || taken.add(ref)) {
        if (kept === this.capacity) {
          raiseTrimmed(words, base, id)
          return kept
        }
        if (isPresent) this.keepPresent(kept++, fromPresent)
        else this.keepNew(kept++, entries, fromNew)
      }
      if (isPresent) fromPresent++
      while (fromNew < entries.length && entries.ids[fromNew] === id) fromNew++
    }
  }

  private keepPresent(row: number, from: number): void {
    for (let word = 0; word < ENTRY_WORDS; word++) {
      this.union[row * ENTRY_WORDS + word] = this.present[from * ENTRY_WORDS + word]
    }
  }

  private keepNew(row: number, entries: Entries, from: number): void {
    const id = entries.ids[from]
    this.union[row * ENTRY_WORDS] = id >>> 0
    this.union[row * ENTRY_WORDS + 1] = packHigh(id, entries.kinds[from])
    this.union[row * ENTRY_WORDS + 2] = entries.refs[from]
  }
}

export const packHigh = (id: number, kind: number): number => Math.floor(id / TWO_32) | (kind << HIGH_BITS)

const refOf = (packed: Uint32Array, row: number): number => packed[row * ENTRY_WORDS + 2]

const idOf = (packed: Uint32Array, row: number): number =>
  (packed[row * ENTRY_WORDS + 1] & HIGH_MASK) * TWO_32 + packed[row * ENTRY_WORDS]
