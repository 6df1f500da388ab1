/**
 * A reader's circle: whom they follow, block, are blocked by and mute, as sorted arrays of account numbers. It decides
 * what the reader may see, so a cached circle is updated or dropped before the writer of the change gets an answer.
 */

import { LRUCache } from 'lru-cache'
import { includesSorted, insertSorted, lowerBound, removeSorted } from '../core/sorted.ts'
import { parseKey, u32Key } from '../core/keys.ts'
import type { TypedTable } from '../engine/rows/tables.ts'
import { createTurns } from '../engine/turns.ts'
import type { Row, Store } from '../ports/store/store.ts'
import {
  backfillsTable,
  blockedByTable,
  blocksTable,
  followingPackedTable,
  followingTable,
  mutesTable,
  type PairState,
} from './tables.ts'

export interface Circle {
  readonly number: number
  /** Sorted. */
  readonly following: Uint32Array
  /** The event id of each follow, in the order of `following`. */
  readonly followIds: Float64Array
  /** Followees that are pulled, because their posts from before the follow are not in the timeline yet. */
  readonly unbackfilled: Uint32Array
  /** Blocked by the reader. */
  readonly blocking: Uint32Array
  /** Blocked in either direction. */
  readonly blocked: Uint32Array
  /** Accounts between which and the reader there is a block in either direction, or was one. */
  readonly everBlocked: Uint32Array
  readonly muted: Uint32Array
  /** Id of the newest event that changed anything above. When it changes, so may the old posts that the reader may see. */
  readonly changeId: number
}

export const follows = (circle: Circle, number: number): boolean => includesSorted(circle.following, number)
export const isBlocked = (circle: Circle, number: number): boolean =>
  circle.blocked.length > 0 && includesSorted(circle.blocked, number)
export const isMuted = (circle: Circle, number: number): boolean =>
  circle.muted.length > 0 && includesSorted(circle.muted, number)
export const followId = (circle: Circle, number: number): number | undefined => {
  const at = lowerBound(circle.following, number)
  return circle.following[at] === number ? circle.followIds[at] : undefined
}

export interface Circles {
  of(number: number): Circle | Promise<Circle>
  /** Removes a circle from the cache, because its rows changed. */
  drop(number: number): void
  /**
   * Applies an event to a cached circle. Drops the circle instead if it may contain the event already (its `changeId`
   * is not below the event's), or if `change` gives `undefined` because only the rows tell the outcome.
   */
  change(number: number, eventId: number, change: (circle: Circle) => Circle | undefined): void
  /** Applies a change without an event, such as a backfill: it changes nothing that the reader may see. */
  patch(number: number, change: (circle: Circle) => Circle): void
  clear(): void
}

const CACHED_EDGES_MAX = 4_000_000
const RANGE_LIMIT = 10_000
/** A circle may have thousands of rows, and after a start very many are asked for at once. */
const LOADS_AT_ONCE = 16

export function createCircles(store: Store): Circles {
  const cache = new LRUCache<number, Circle>({
    maxSize: CACHED_EDGES_MAX,
    sizeCalculation: (circle) => 16 + circle.following.length + circle.blocked.length + circle.muted.length,
  })
  const loading = new Map<number, Promise<Circle>>()
  const inTurn = createTurns(LOADS_AT_ONCE)
  const drop = (number: number) => {
    cache.delete(number)
    loading.delete(number)
  }

  return {
    of(number) {
      const cached = cache.get(number)
      if (cached !== undefined) return cached
      const underWay = loading.get(number)
      if (underWay !== undefined) return underWay
      const load = inTurn(() => loadCircle(store, number))
        .then((circle) => {
          // After a drop, this load may have read the rows of before: right for callers who asked before the change,
          // wrong for later ones, so it is not cached.
          if (loading.get(number) === load) cache.set(number, circle)
          return circle
        })
        .finally(() => {
          if (loading.get(number) === load) loading.delete(number)
        })
      loading.set(number, load)
      return load
    },
    drop,
    change(number, eventId, change) {
      const circle = cache.get(number)
      if (circle === undefined || eventId <= circle.changeId) return drop(number)
      const changed = change(circle)
      if (changed === undefined) return drop(number)
      loading.delete(number)
      cache.set(number, changed)
    },
    patch(number, change) {
      const circle = cache.get(number)
      loading.delete(number)
      if (circle !== undefined) cache.set(number, change(circle))
    },
    clear() {
      cache.clear()
      loading.clear()
    },
  }
}

interface Edge {
  id: number
  backfilled: boolean
}

/**
 * Whether a block between two accounts ends a follow of one by the other. While the block is on, it ends every follow;
 * a follow that is older than the last time it was switched on or off has ended for good. Ids decide, because the events
 * of follow and block have different keys and so no common order in the log.
 */
export const isEndedBy = ({ on, onId, offId }: PairState, followId: number): boolean =>
  on || followId < Math.max(onId, offId)

async function loadCircle(store: Store, number: number): Promise<Circle> {
  const rows = await readPartition(store, u32Key(number))
  const of = <V>(table: TypedTable<any, V>) =>
    (rows.get(table.prefix) ?? []).map((row) => ({ other: otherOf(row), value: table.decode(row) }))

  const edges = new Map<number, Edge>()
  let changeId = 0
  for (const { value } of of(followingPackedTable)) {
    value.numbers.forEach((followee, i) => edges.set(followee, { id: value.ids[i], backfilled: true }))
  }
  for (const { other, value } of of(followingTable)) {
    changeId = Math.max(changeId, value.id)
    if (value.on) edges.set(other, { id: value.id, backfilled: false })
    else edges.delete(other)
  }
  for (const { other, value } of of(backfillsTable)) {
    const edge = edges.get(other)
    if (edge?.id === value.followId) edge.backfilled = true
  }
  const blocking = of<PairState>(blocksTable)
  const blockedBy = of<PairState>(blockedByTable)
  const muted = of<PairState>(mutesTable)
  for (const { value } of [...blocking, ...blockedBy, ...muted]) changeId = Math.max(changeId, value.id)
  // The follow's rows are written by the other account's events, which may not have met the block yet.
  for (const { other, value } of [...blocking, ...blockedBy]) {
    const edge = edges.get(other)
    if (edge !== undefined && isEndedBy(value, edge.id)) edges.delete(other)
  }
  const on = (list: { other: number; value: PairState }[]) =>
    list.flatMap(({ other, value }) => (value.on ? [other] : []))
  const sorted = [...edges.keys()].sort((a, b) => a - b)
  return {
    number,
    following: Uint32Array.from(sorted),
    followIds: Float64Array.from(sorted, (followee) => edges.get(followee)?.id ?? 0),
    unbackfilled: Uint32Array.from(sorted.filter((followee) => edges.get(followee)?.backfilled === false)),
    blocking: sortedSet(on(blocking)),
    blocked: sortedSet([...on(blocking), ...on(blockedBy)]),
    everBlocked: sortedSet([...blocking, ...blockedBy].map(({ other }) => other)),
    muted: sortedSet(on(muted)),
    changeId,
  }
}

const sortedSet = (values: number[]): Uint32Array => Uint32Array.from(new Set(values)).sort()
const otherOf = (row: Row): number => parseKey(row.sort.slice(1))

/** All rows of the circle, by the letter of their kind (see `tables.ts`); almost always in one round trip. */
async function readPartition(store: Store, partition: string): Promise<Map<string, Row[]>> {
  const rows = new Map<string, Row[]>()
  for (let from = ''; ;) {
    const [page] = await store.range([{ table: followingTable, partition, from, limit: RANGE_LIMIT }])
    for (const row of page) {
      const list = rows.get(row.sort[0])
      if (list === undefined) rows.set(row.sort[0], [row])
      else list.push(row)
    }
    if (page.length < RANGE_LIMIT) return rows
    from = `${page[page.length - 1].sort}0`
  }
}

/** The circle after a follow or unfollow, without reading its rows again. */
export function withFollow(circle: Circle, followee: number, id: number, on: boolean): Circle {
  const at = lowerBound(circle.following, followee)
  const had = circle.following[at] === followee
  const following = on ? insertSorted(circle.following, followee) : removeSorted(circle.following, followee)
  const followIds = new Float64Array(following.length)
  followIds.set(circle.followIds.subarray(0, at))
  followIds.set(circle.followIds.subarray(had ? at + 1 : at), on ? at + 1 : at)
  if (on) followIds[at] = id
  const unbackfilled = on
    ? insertSorted(circle.unbackfilled, followee)
    : removeSorted(circle.unbackfilled, followee)
  return { ...circle, following, followIds, unbackfilled, changeId: id }
}

export function withMute(circle: Circle, other: number, id: number, on: boolean): Circle {
  const muted = on ? insertSorted(circle.muted, other) : removeSorted(circle.muted, other)
  return { ...circle, muted, changeId: id }
}

export function withBackfilled(circle: Circle, followee: number, id: number): Circle {
  if (followId(circle, followee) !== id) return circle
  return { ...circle, unbackfilled: removeSorted(circle.unbackfilled, followee) }
}
