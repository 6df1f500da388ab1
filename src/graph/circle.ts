/**
 * A reader's circle: whom they follow, block, are blocked by and mute, as sorted arrays of account numbers.
 * It decides what a reader is entitled to, so a cached one is dropped before the writer who changed it gets
 * an answer.
 */

import { LRUCache } from 'lru-cache'
import { includesSorted, lowerBound } from '../core/sorted.ts'
import { u32Key } from '../core/keys.ts'
import type { TypedTable } from '../engine/tables.ts'
import type { Row, Store } from '../ports/store/store.ts'
import {
  backfillsTable,
  blockedByTable,
  blocksTable,
  followingPackedTable,
  followingTable,
  mutesTable,
} from './tables.ts'

export interface Circle {
  readonly number: number
  /** Sorted; `followIds` stands in the same order. */
  readonly following: Uint32Array
  readonly followIds: Float64Array
  /** Followees whose posts from before the follow are not in the timeline yet: they are pulled. */
  readonly unbackfilled: Uint32Array
  /** Blocked by the reader. */
  readonly blocking: Uint32Array
  /** Blocked in either direction. */
  readonly blocked: Uint32Array
  readonly muted: Uint32Array
  /** Id of the newest event that changed anything above: another id means another past. */
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
  /** Forgets cached circles: their rows changed. */
  drop(number: number): void
}

const CACHED_EDGES_MAX = 4_000_000
const RANGE_LIMIT = 10_000

export function createCircles(store: Store): Circles {
  const cache = new LRUCache<number, Circle>({
    maxSize: CACHED_EDGES_MAX,
    sizeCalculation: (circle) => 16 + circle.following.length + circle.blocked.length + circle.muted.length,
  })
  const loading = new Map<number, Promise<Circle>>()

  return {
    of(number) {
      const cached = cache.get(number)
      if (cached !== undefined) return cached
      const underWay = loading.get(number)
      if (underWay !== undefined) return underWay
      const load = loadCircle(store, number)
        .then((circle) => {
          // A load that was dropped meanwhile may hold old rows: its callers began before the change, later ones must not see it.
          if (loading.get(number) === load) cache.set(number, circle)
          return circle
        })
        .finally(() => {
          if (loading.get(number) === load) loading.delete(number)
        })
      loading.set(number, load)
      return load
    },
    drop(number) {
      cache.delete(number)
      loading.delete(number)
    },
  }
}

interface Edge {
  id: number
  backfilled: boolean
}

async function loadCircle(store: Store, number: number): Promise<Circle> {
  const partition = u32Key(number)
  const tables = [
    followingPackedTable,
    followingTable,
    backfillsTable,
    blocksTable,
    blockedByTable,
    mutesTable,
  ]
  const [packed, following, backfills, blocks, blockedBy, mutes] = await readWhole(store, tables, partition)

  const edges = new Map<number, Edge>()
  let changeId = 0
  const saw = (id: number) => {
    if (id > changeId) changeId = id
  }
  for (const row of packed) {
    const { numbers, ids } = followingPackedTable.decode(row)
    numbers.forEach((followee, i) => edges.set(followee, { id: ids[i], backfilled: true }))
  }
  for (const row of following) {
    const { on, id } = followingTable.decode(row)
    saw(id)
    if (on) edges.set(keyNumber(row), { id, backfilled: false })
    else edges.delete(keyNumber(row))
  }
  for (const row of backfills) {
    const edge = edges.get(keyNumber(row))
    if (edge?.id === backfillsTable.decode(row).followId) edge.backfilled = true
  }
  const pairs = (
    rows: readonly Row[],
    table: TypedTable<[number, number], { on: boolean; id: number; onId: number }>,
  ) =>
    rows.map((row) => {
      const state = table.decode(row)
      saw(state.id)
      return { other: keyNumber(row), ...state }
    })
  const outgoing = pairs(blocks, blocksTable)
  const incoming = pairs(blockedBy, blockedByTable)
  // A follow counts only above the pair's last block, even when the rows of the follow say nothing of it yet.
  for (const { other, onId } of [...outgoing, ...incoming]) {
    const edge = edges.get(other)
    if (edge !== undefined && edge.id < onId) edges.delete(other)
  }
  const on = (list: { other: number; on: boolean }[]) =>
    list.filter((pair) => pair.on).map((pair) => pair.other)
  const sorted = [...edges.keys()].sort((a, b) => a - b)
  return {
    number,
    following: Uint32Array.from(sorted),
    followIds: Float64Array.from(sorted, (followee) => edges.get(followee)?.id ?? 0),
    unbackfilled: Uint32Array.from(sorted.filter((followee) => edges.get(followee)?.backfilled === false)),
    blocking: sortedSet(on(outgoing)),
    blocked: sortedSet([...on(outgoing), ...on(incoming)]),
    muted: sortedSet(on(pairs(mutes, mutesTable))),
    changeId,
  }
}

const sortedSet = (values: number[]): Uint32Array => Uint32Array.from(new Set(values)).sort()
const keyNumber = (row: Row): number => Number.parseInt(row.sort, 36)

/** All rows of one partition of several tables: almost always one round trip. */
async function readWhole(
  store: Store,
  tables: readonly TypedTable<any, any>[],
  partition: string,
): Promise<Row[][]> {
  const results = tables.map((): Row[] => [])
  let open = tables.map((table, i) => ({ i, table, partition, from: '', limit: RANGE_LIMIT }))
  while (open.length > 0) {
    const pages = await store.range(open)
    open = open.filter((range, at) => {
      const page = pages[at]
      for (const row of page) results[range.i].push(row)
      if (page.length < RANGE_LIMIT) return false
      range.from = `${page[page.length - 1].sort}0`
      return true
    })
  }
  return results
}
