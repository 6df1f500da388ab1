/** Followers of many accounts at once, for fan-out: heads first, then the numbers of key ranges. */

import { lowerBound } from '../../core/sorted.ts'
import type { Audience, AudiencePart, KeyedRange } from '../../engine/fanout/audience.ts'
import type { Row, Store } from '../../ports/store/store.ts'
import { isDirectory } from '../followers.ts'
import { followerHeadsTable, followerTotalsTable } from '../tables.ts'
import { readLeaves } from './leaves.ts'

/** The key of an audience is the followee. Members of a range come sorted. */
export const createFollowerAudience = (store: Store): Audience => ({
  partsOf: (followees) => readParts(store, followees),
  membersIn: (ranges) => readFollowersIn(store, ranges),
})

function partOf(bucket: number, row: Row): AudiencePart {
  const { count, numbers, leafStarts } = followerHeadsTable.decode(row)
  return { bucket, size: count, members: numbers, starts: leafStarts }
}

/**
 * Nearly every audience lies in the first bucket alone, so that head is read together with the totals: two round trips
 * at most.
 */
async function readParts(
  store: Store,
  followees: readonly number[],
): Promise<readonly (readonly AudiencePart[])[]> {
  const rows = await store.get(
    followees.flatMap((followee) => [followerTotalsTable.key(followee), followerHeadsTable.key(followee, 0)]),
  )
  const audiences = followees.map((): AudiencePart[] => [])
  const elsewhere: { at: number; bucket: number }[] = []
  followees.forEach((_, at) => {
    const [total, head] = [rows[2 * at], rows[2 * at + 1]]
    if (head !== undefined) audiences[at].push(partOf(0, head))
    if (total === undefined) return
    for (const bucket of followerTotalsTable.decode(total).buckets)
      if (bucket > 0) elsewhere.push({ at, bucket })
  })
  if (elsewhere.length === 0) return audiences
  const heads = await store.get(
    elsewhere.map(({ at, bucket }) => followerHeadsTable.key(followees[at], bucket)),
  )
  elsewhere.forEach(({ at, bucket }, i) => {
    const row = heads[i]
    if (row !== undefined) audiences[at].push(partOf(bucket, row))
  })
  return audiences
}

/** One sorted array for each range, whatever became of the rows since the ranges were named. */
async function readFollowersIn(store: Store, ranges: readonly KeyedRange[]): Promise<readonly Uint32Array[]> {
  const found = await readLeaves(store, ranges)
  const bare = ranges.map((_, i) => i).filter((i) => found[i].length === 0)
  if (bare.length === 0) return found
  // A range without leaves: the head may hold the numbers itself.
  const rows = await store.get(bare.map((i) => followerHeadsTable.key(ranges[i].key, ranges[i].bucket)))
  const grown: number[] = []
  bare.forEach((i, at) => {
    const row = rows[at]
    if (row === undefined) return
    const head = followerHeadsTable.decode(row)
    if (isDirectory(head)) grown.push(i)
    const { numbers } = head
    found[i] = numbers.subarray(lowerBound(numbers, ranges[i].from), lowerBound(numbers, ranges[i].to))
  })
  // The head became a directory between the two reads; it never becomes a plain list again, so its leaves are there.
  const again =
    grown.length === 0
      ? []
      : await readLeaves(
          store,
          grown.map((i) => ranges[i]),
        )
  grown.forEach((i, at) => (found[i] = again[at]))
  return found
}
