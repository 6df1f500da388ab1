/**
 * Follower rows: sorted account numbers, packed, in one partition for each followee and bucket. The head row holds up
 * to 1,000 numbers itself; beyond that it becomes a directory of leaf rows, each of which holds a key range and splits
 * in halves when it outgrows 1,000. Chunks of a fan-out name key ranges and not rows, so that a split does not disturb
 * them.
 */

import { insertSorted, lowerBound, removeSorted } from '../core/sorted.ts'
import { LIMITS } from '../core/limits.ts'
import type { Rows } from '../engine/rows/rows.ts'
import type { RowKey } from '../ports/store/store.ts'
import {
  bucketOf,
  followerHeadsTable,
  followerLeavesTable,
  followerTotalsTable,
  type FollowerHead,
} from './tables.ts'

const NONE = new Uint32Array(0)
const EMPTY_HEAD: FollowerHead = { count: 0, numbers: NONE, leafStarts: NONE, leafCounts: NONE }
const ROW_MAX = LIMITS.chunkFollowersMax

export const isDirectory = (head: FollowerHead): boolean => head.leafStarts.length > 0

/** Index of the leaf whose range holds `number`; leaf 0 begins at 0. */
export const leafOf = (head: FollowerHead, number: number): number =>
  Math.max(0, lowerBound(head.leafStarts, number + 1) - 1)

export const followerKeys = (followee: number, follower: number): RowKey[] => [
  followerHeadsTable.key(followee, bucketOf(follower)),
  followerTotalsTable.key(followee),
]

export function followerLeafKeys(followee: number, follower: number, rows: Rows): RowKey[] {
  const bucket = bucketOf(follower)
  const head = rows.get(followerHeadsTable, followerHeadsTable.key(followee, bucket))
  if (head === undefined || !isDirectory(head)) return []
  return [followerLeavesTable.key(followee, bucket, head.leafStarts[leafOf(head, follower)])]
}

/** Adds or removes one follower. A repeated event changes no row, because the rows' versions are not below its own. */
export function setFollower(
  rows: Rows,
  followee: number,
  follower: number,
  on: boolean,
  version: number,
): void {
  const bucket = bucketOf(follower)
  const headKey = followerHeadsTable.key(followee, bucket)
  if (rows.versionOf(headKey) < version) {
    const head = rows.get(followerHeadsTable, headKey) ?? EMPTY_HEAD
    const changed = isDirectory(head)
      ? changeLeaf(rows, head, followee, bucket, follower, on, version)
      : changeInline(rows, head, followee, bucket, follower, on, version)
    rows.put(followerHeadsTable, headKey, version, changed)
  }
  putTotal(rows, followee, bucket, version)
}

/** The total is set from the head's count, not incremented: after any replay it is right again. */
function putTotal(rows: Rows, followee: number, bucket: number, version: number): void {
  const key = followerTotalsTable.key(followee)
  if (rows.versionOf(key) >= version) return
  const totals = rows.get(followerTotalsTable, key)
  const count = rows.get(followerHeadsTable, followerHeadsTable.key(followee, bucket))?.count ?? 0
  const buckets = insertSorted(totals?.buckets ?? NONE, bucket)
  const counts = Uint32Array.from(buckets, (b) => {
    if (b === bucket) return count
    return totals === undefined ? 0 : totals.counts[lowerBound(totals.buckets, b)]
  })
  rows.put(followerTotalsTable, key, version, { buckets, counts })
}

function changeInline(
  rows: Rows,
  head: FollowerHead,
  followee: number,
  bucket: number,
  follower: number,
  on: boolean,
  version: number,
): FollowerHead {
  const numbers = on ? insertSorted(head.numbers, follower) : removeSorted(head.numbers, follower)
  if (numbers.length <= ROW_MAX) return { ...EMPTY_HEAD, count: numbers.length, numbers }
  const half = numbers.length >>> 1
  const leaves = [numbers.slice(0, half), numbers.slice(half)]
  const leafStarts = Uint32Array.of(0, leaves[1][0])
  leaves.forEach((leaf, i) =>
    rows.put(followerLeavesTable, followerLeavesTable.key(followee, bucket, leafStarts[i]), version, leaf),
  )
  return {
    count: numbers.length,
    numbers: NONE,
    leafStarts,
    leafCounts: Uint32Array.from(leaves, (l) => l.length),
  }
}

function changeLeaf(
  rows: Rows,
  head: FollowerHead,
  followee: number,
  bucket: number,
  follower: number,
  on: boolean,
  version: number,
): FollowerHead {
  const at = leafOf(head, follower)
  const key = (start: number) => followerLeavesTable.key(followee, bucket, start)
  const old = rows.get(followerLeavesTable, key(head.leafStarts[at])) ?? NONE
  const leaf = on ? insertSorted(old, follower) : removeSorted(old, follower)
  if (leaf === old) return head
  const count = head.count + leaf.length - old.length
  const half = leaf.length >>> 1
  const parts = leaf.length <= ROW_MAX ? [leaf] : [leaf.slice(0, half), leaf.slice(half)]
  const starts = [head.leafStarts[at], ...parts.slice(1).map((part) => part[0])]
  parts.forEach((part, i) => rows.put(followerLeavesTable, key(starts[i]), version, part))
  const replace = (values: Uint32Array, by: number[]) =>
    Uint32Array.of(...values.subarray(0, at), ...by, ...values.subarray(at + 1))
  return {
    count,
    numbers: NONE,
    leafStarts: parts.length === 1 ? head.leafStarts : replace(head.leafStarts, starts),
    leafCounts: replace(
      head.leafCounts,
      parts.map((part) => part.length),
    ),
  }
}

/** The rows of one bucket for many sorted numbers, as an import writes them. Leaves are filled to 75 %. */
export function packFollowers(numbers: Uint32Array): {
  head: FollowerHead
  leaves: { start: number; numbers: Uint32Array }[]
} {
  if (numbers.length <= ROW_MAX)
    return { head: { ...EMPTY_HEAD, count: numbers.length, numbers }, leaves: [] }
  const size = Math.floor(ROW_MAX * 0.75)
  const leaves: { start: number; numbers: Uint32Array }[] = []
  for (let at = 0; at < numbers.length; at += size) {
    leaves.push({ start: at === 0 ? 0 : numbers[at], numbers: numbers.slice(at, at + size) })
  }
  const head = {
    count: numbers.length,
    numbers: NONE,
    leafStarts: Uint32Array.from(leaves, (leaf) => leaf.start),
    leafCounts: Uint32Array.from(leaves, (leaf) => leaf.numbers.length),
  }
  return { head, leaves }
}
