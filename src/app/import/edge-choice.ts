/**
 * Which follows of a file are written. One that people decided about here stays as they left it: a pair that
 * was unfollowed or blocked since is not joined again by an old list. Nobody follows more than the limit.
 */

import { LIMITS } from '../../core/limits.ts'
import { lowerBound } from '../../core/sorted.ts'
import { u32Key } from '../../core/keys.ts'
import { followingPackedTable, followingTable } from '../../graph/index.ts'
import type { Row, Store } from '../../ports/store/store.ts'
import type { Follows } from './edge-order.ts'
import type { Problems } from './problems.ts'

/** What the rows of one follower say. */
interface Known {
  /** Decided by an event: followed or unfollowed here. */
  readonly live: ReadonlyMap<number, boolean>
  /** By earlier imports; sorted within a row. */
  readonly packed: readonly Uint32Array[]
}

export interface Choice {
  /** One flag per follow, in the order of `byFollower.values`. */
  readonly isKept: Uint8Array
  readonly counts: { known: number; unfollowed: number }
}

const BATCH_FOLLOWERS = 512
const RANGE_LIMIT = 10_000
const NOTHING: Known = { live: new Map(), packed: [] }

export async function chooseEdges(
  store: Store,
  { numberOf, byFollower: { starts, values } }: Follows,
  isFresh: boolean,
  problems: Problems,
): Promise<Choice> {
  const isKept = new Uint8Array(values.length)
  const counts = { known: 0, unfollowed: 0 }
  for (let first = 0; first < numberOf.length; first += BATCH_FOLLOWERS) {
    const followers = numberOf.subarray(first, first + BATCH_FOLLOWERS)
    const known = isFresh ? undefined : await readKnown(store, followers)
    for (let i = 0; i < followers.length; i++) {
      const { live, packed } = known?.[i] ?? NOTHING
      let room = LIMITS.followingMax - countOf(live, packed)
      for (let at = starts[first + i]; at < starts[first + i + 1]; at++) {
        const followee = numberOf[values[at]]
        const isOn = live.get(followee)
        const isPacked = packed.some((numbers) => numbers[lowerBound(numbers, followee)] === followee)
        if (isOn === false) counts.unfollowed++
        else if (isOn === true) counts.known++
        else if (isPacked) isKept[at] = 1
        else if (room-- > 0) isKept[at] = 1
        else problems.count(`over the limit of ${LIMITS.followingMax} follows an account`)
      }
    }
  }
  return { isKept, counts }
}

function countOf(live: ReadonlyMap<number, boolean>, packed: readonly Uint32Array[]): number {
  let count = 0
  for (const isOn of live.values()) if (isOn) count++
  return packed.reduce((sum, numbers) => sum + numbers.length, count)
}

async function readKnown(store: Store, followers: Uint32Array): Promise<Known[]> {
  const partitions = Array.from(followers, u32Key)
  const live = await readAll(store, followingTable, partitions)
  const packed = await readAll(store, followingPackedTable, partitions)
  return partitions.map((_, i) => ({
    live: new Map(live[i].map((row) => [Number.parseInt(row.sort, 36), followingTable.decode(row).on])),
    packed: packed[i].map((row) => followingPackedTable.decode(row).numbers),
  }))
}

async function readAll(
  store: Store,
  table: typeof followingTable | typeof followingPackedTable,
  partitions: readonly string[],
): Promise<Row[][]> {
  const pages = await store.range(
    partitions.map((partition) => ({ table, partition, from: '', limit: RANGE_LIMIT })),
  )
  return Promise.all(
    pages.map(async (page, i) => {
      const rows = [...page]
      for (let last = page; last.length === RANGE_LIMIT;) {
        const from = `${last[last.length - 1].sort}0`
        ;[last] = await store.range([{ table, partition: partitions[i], from, limit: RANGE_LIMIT }])
        rows.push(...last)
      }
      return rows
    }),
  )
}
