/**
 * Marks: for each author and share, the newest post that was not pushed to followers beyond that share. A mark only
 * rises, and it is durable before the first follower is skipped. A reader pulls an author if a mark that excludes the
 * reader's edge lies at or above the lower end of the ids being read. Every process holds all marks in memory.
 */

import { scanAll } from '../engine/rows/scan.ts'
import type { Store } from '../ports/store/store.ts'
import { SHARES } from './policy.ts'
import { marksTable } from './tables.ts'

export interface MarkRaise {
  readonly author: number
  /** To how many eighths of the edges the post was pushed: to those with a bucket below it. */
  readonly share: number
  readonly postId: number
  readonly version: number
}

export interface Marks {
  /** Rises when an author gets a first mark for a share, so that lists of authors with marks are made anew. */
  readonly shape: number
  /** The author's newest post that was not pushed along an edge of this bucket; 0 if all were. */
  of(author: number, bucket: number): number
  has(author: number): boolean
  /** How many authors have a mark. */
  readonly size: number
  /** Resolves once the marks are durable. */
  raise(raises: readonly MarkRaise[]): Promise<void>
  /** Takes in marks that another process has raised and stored. */
  learn(raises: readonly Omit<MarkRaise, 'version'>[]): void
  load(store: Store): Promise<void>
}

export function createMarks(store: Store): Marks {
  const marks = new Map<number, Float64Array>()
  let shape = 0

  function raiseInMemory(author: number, share: number, postId: number): Float64Array {
    let own = marks.get(author)
    if (own === undefined) marks.set(author, (own = new Float64Array(SHARES)))
    if (own[share] === 0) shape++
    if (postId > own[share]) own[share] = postId
    return own
  }

  return {
    get shape() {
      return shape
    },
    has: (author) => marks.has(author),
    get size() {
      return marks.size
    },
    of(author, bucket) {
      const own = marks.get(author)
      if (own === undefined) return 0
      let newest = 0
      for (let share = 0; share <= bucket; share++) if (own[share] > newest) newest = own[share]
      return newest
    },
    async raise(raises) {
      if (raises.length === 0) return
      const rows = new Map<number, ReturnType<typeof marksTable.row>>()
      for (const { author, share, postId, version } of raises) {
        const own = raiseInMemory(author, share, postId)
        const above = Math.max(version, rows.get(author)?.version ?? 0)
        rows.set(author, marksTable.row(marksTable.key(author), above, { number: author, marks: own }))
      }
      await store.write([...rows.values()])
    },
    learn(raises) {
      for (const { author, share, postId } of raises) raiseInMemory(author, share, postId)
    },
    async load(from) {
      for await (const { number, marks: saved } of scanAll(from, marksTable)) {
        saved.forEach((postId, share) => postId > 0 && raiseInMemory(number, share, postId))
      }
    },
  }
}
