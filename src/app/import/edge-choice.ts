/**
 * Chooses which follows of a file are written. A follow that was ended here by unfollowing or blocking is not made
 * again by an old list, and no account gets more follows than the limit.
 */

import { LIMITS } from '../../core/limits.ts'
import { lowerBound } from '../../core/sorted.ts'
import { followingPackedTable, followingTable } from '../../graph/index.ts'
import type { Store } from '../../ports/store/store.ts'
import { readCircleRows } from './circle-rows.ts'
import type { Follows } from './edge-order.ts'
import { SHOWN_MAX } from './problems.ts'

/** The follows of one follower that the store holds. */
interface Known {
  /** Pairs that an event has decided here: `true` for followed, `false` for unfollowed. */
  readonly live: ReadonlyMap<number, boolean>
  /** Followees from earlier imports; sorted within a row. */
  readonly packed: readonly Uint32Array[]
}

export interface Choice {
  /** One flag per follow, in the order of `byFollower.values`. */
  readonly isKept: Uint8Array
  readonly counts: { known: number; unfollowed: number }
  /** Follows beyond the limit of their follower: how many, and the first of them by account numbers. */
  readonly excess: { total: number; readonly first: { follower: number; followee: number }[] }
}

const BATCH_FOLLOWERS = 512
const NOTHING: Known = { live: new Map(), packed: [] }

export async function chooseEdges(
  store: Store,
  { numberOf, byFollower: { starts, values } }: Follows,
  isFresh: boolean,
): Promise<Choice> {
  const isKept = new Uint8Array(values.length)
  const counts = { known: 0, unfollowed: 0 }
  const excess: Choice['excess'] = { total: 0, first: [] }
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
        else if (excess.total++ < SHOWN_MAX) excess.first.push({ follower: followers[i], followee })
      }
    }
  }
  return { isKept, counts, excess }
}

/** Counts a follower's follows. For a pair with an event, the event counts and not what an import packed. */
function countOf(live: ReadonlyMap<number, boolean>, packed: readonly Uint32Array[]): number {
  let count = 0
  for (const isOn of live.values()) if (isOn) count++
  for (const numbers of packed) for (const number of numbers) if (!live.has(number)) count++
  return count
}

async function readKnown(store: Store, followers: Uint32Array): Promise<Known[]> {
  const live = await readCircleRows(store, followingTable, followers)
  const packed = await readCircleRows(store, followingPackedTable, followers)
  return live.map((rows, i) => ({
    live: new Map(rows.map(({ other, value }) => [other, value.on])),
    packed: packed[i].map(({ value }) => value.numbers),
  }))
}
