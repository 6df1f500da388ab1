/**
 * Marks: for each key of an audience and each share, the newest event that was not pushed to members beyond that share.
 * A mark only rises, and it is durable before the first member is skipped. A reader pulls a key if a mark that excludes
 * the reader lies at or above the lower end of the ids being read. Every process holds all marks in memory.
 */

import { scanAll } from '../rows/scan.ts'
import type { RowWrite, Store } from '../../ports/store/store.ts'
import { SHARES } from './policy.ts'
import type { MarksTable } from './tables.ts'

/** As other processes are told of it. */
export interface RaisedMark {
  readonly key: number
  /** To how many eighths of the audience the event was pushed: to members with a bucket below it. */
  readonly share: number
  /** The event's. */
  readonly id: number
}

export interface MarkRaise extends RaisedMark {
  readonly version: number
}

export interface Marks {
  /** Rises when a key gets a first mark for a share, so that lists of keys with marks are made anew. */
  readonly shape: number
  /** The key's newest event that was not pushed to members of this bucket; 0 if all were. */
  of(key: number, bucket: number): number
  has(key: number): boolean
  /** How many keys have a mark. */
  readonly size: number
  /** Resolves once the marks are durable. */
  raise(raises: readonly MarkRaise[]): Promise<void>
  /** Takes in marks that another process has raised and stored. */
  learn(raises: readonly RaisedMark[]): void
  load(): Promise<void>
}

export function createMarks(store: Store, table: MarksTable): Marks {
  const marks = new Map<number, Float64Array>()
  let shape = 0

  function raiseInMemory(key: number, share: number, id: number): Float64Array {
    let own = marks.get(key)
    if (own === undefined) marks.set(key, (own = new Float64Array(SHARES)))
    if (own[share] === 0) shape++
    if (id > own[share]) own[share] = id
    return own
  }

  return {
    get shape() {
      return shape
    },
    has: (key) => marks.has(key),
    get size() {
      return marks.size
    },
    of(key, bucket) {
      const own = marks.get(key)
      if (own === undefined) return 0
      let newest = 0
      for (let share = 0; share <= bucket; share++) if (own[share] > newest) newest = own[share]
      return newest
    },
    async raise(raises) {
      if (raises.length === 0) return
      const rows = new Map<number, RowWrite>()
      for (const { key, share, id, version } of raises) {
        const own = raiseInMemory(key, share, id)
        const above = Math.max(version, rows.get(key)?.version ?? 0)
        rows.set(key, table.row(table.key(key), above, { number: key, marks: own }))
      }
      await store.write([...rows.values()])
    },
    learn(raises) {
      for (const { key, share, id } of raises) raiseInMemory(key, share, id)
    },
    async load() {
      for await (const { number, marks: saved } of scanAll(store, table)) {
        saved.forEach((id, share) => id > 0 && raiseInMemory(number, share, id))
      }
    },
  }
}
