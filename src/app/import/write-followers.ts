/** Writes the follower rows of imported follows: packed, sorted numbers and exact counts, united with existing rows. */

import { parseKey } from '../../core/keys.ts'
import { insertSorted, lowerBound } from '../../core/sorted.ts'
import {
  bucketOf,
  followerHeadsTable,
  followerLeavesTable,
  followerTotalsTable,
  isDirectory,
  packFollowers,
  type FollowerHead,
  type FollowerTotals,
} from '../../graph/index.ts'
import type { RowWrite, Store } from '../../ports/store/store.ts'
import { createBulkWriter } from './bulk-writer.ts'
import { union, type Grouped } from './numbers-list.ts'

export interface EdgeWriting {
  readonly store: Store
  readonly version: number
  /** The id of all follows of the import. */
  readonly id: number
  readonly numberOf: Uint32Array
  /** The store holds no follows yet, so nothing needs to be read. */
  readonly isFresh: boolean
  readonly progress: (done: number, total: number) => void
}

/** The followers of one account in one bucket. */
interface Audience {
  readonly followee: number
  readonly bucket: number
  readonly numbers: Uint32Array
}

interface KnownAudience {
  readonly numbers: Uint32Array
  /** The first keys of its leaves. */
  readonly leafStarts: readonly number[]
}

const BATCH_FOLLOWEES = 512
const LEAVES_MAX = 10_000
const NONE = new Uint32Array(0)
const NOBODY: KnownAudience = { numbers: NONE, leafStarts: [] }
const NO_TOTALS: FollowerTotals = { buckets: NONE, counts: NONE }

/** @returns how many follows are new */
export async function writeFollowers(writing: EdgeWriting, { starts, values }: Grouped): Promise<number> {
  const { numberOf, store, progress } = writing
  const writer = createBulkWriter(store)
  let added = 0
  for (let first = 0; first < numberOf.length; first += BATCH_FOLLOWEES) {
    const end = Math.min(numberOf.length, first + BATCH_FOLLOWEES)
    const audiences: Audience[] = []
    for (let rank = first; rank < end; rank++) {
      const followers = values.subarray(starts[rank], starts[rank + 1]).map((other) => numberOf[other])
      audiences.push(...splitByBucket(numberOf[rank], followers))
    }
    const known = writing.isFresh ? undefined : await readKnown(store, audiences)
    const totals = await readTotals(writing, audiences)
    for (const [i, audience] of audiences.entries()) {
      const before = known?.[i] ?? NOBODY
      const numbers = before.numbers.length === 0 ? audience.numbers : union(before.numbers, audience.numbers)
      added += numbers.length - before.numbers.length
      await writer.add(audienceRows({ ...audience, numbers }, before, writing.version))
      const total = totals.get(audience.followee) ?? NO_TOTALS
      totals.set(audience.followee, withCount(total, audience.bucket, numbers.length))
    }
    for (const [followee, total] of totals) {
      await writer.add([followerTotalsTable.row(followerTotalsTable.key(followee), writing.version, total)])
    }
    progress(starts[end], values.length)
  }
  await writer.end()
  return added
}

function splitByBucket(followee: number, followers: Uint32Array): Audience[] {
  const audiences: Audience[] = []
  for (let from = 0; from < followers.length;) {
    const bucket = bucketOf(followers[from])
    let to = followers.length
    if (bucketOf(followers[to - 1]) !== bucket) {
      to = from
      while (bucketOf(followers[to]) === bucket) to++
    }
    audiences.push({ followee, bucket, numbers: followers.subarray(from, to) })
    from = to
  }
  return audiences
}

async function readKnown(store: Store, audiences: readonly Audience[]): Promise<KnownAudience[]> {
  const rows = await store.get(
    audiences.map(({ followee, bucket }) => followerHeadsTable.key(followee, bucket)),
  )
  const heads = rows.map((row) => (row === undefined ? undefined : followerHeadsTable.decode(row)))
  const large = audiences.filter((_, i) => isLarge(heads[i]))
  const pages = await store.range(
    large.map(({ followee, bucket }) => ({
      table: followerLeavesTable,
      partition: followerLeavesTable.key(followee, bucket, 0).partition,
      from: '',
      limit: LEAVES_MAX,
    })),
  )
  let next = 0
  return heads.map((head) => {
    if (head === undefined) return NOBODY
    if (!isDirectory(head)) return { numbers: head.numbers, leafStarts: [] }
    const leaves = pages[next++]
    const numbers = new Uint32Array(head.count)
    let at = 0
    for (const leaf of leaves) {
      const some = followerLeavesTable.decode(leaf)
      numbers.set(some, at)
      at += some.length
    }
    return { numbers, leafStarts: leaves.map((leaf) => parseKey(leaf.sort)) }
  })
}

const isLarge = (head: FollowerHead | undefined): boolean => head !== undefined && isDirectory(head)

async function readTotals({ store, isFresh }: EdgeWriting, audiences: readonly Audience[]) {
  const totals = new Map<number, FollowerTotals>()
  if (isFresh) return totals
  const followees = [...new Set(audiences.map(({ followee }) => followee))]
  const rows = await store.get(followees.map((followee) => followerTotalsTable.key(followee)))
  rows.forEach((row, i) => row !== undefined && totals.set(followees[i], followerTotalsTable.decode(row)))
  return totals
}

/** A leaf that is not needed any more is written empty, because rows cannot be deleted and ranges would find it. */
function audienceRows(
  { followee, bucket, numbers }: Audience,
  before: KnownAudience,
  version: number,
): RowWrite[] {
  const { head, leaves } = packFollowers(numbers)
  const leafRow = (start: number, content: Uint32Array) =>
    followerLeavesTable.row(followerLeavesTable.key(followee, bucket, start), version, content)
  const kept = new Set(leaves.map(({ start }) => start))
  const gone = before.leafStarts.filter((start) => !kept.has(start))
  return [
    followerHeadsTable.row(followerHeadsTable.key(followee, bucket), version, head),
    ...leaves.map((leaf) => leafRow(leaf.start, leaf.numbers)),
    ...gone.map((start) => leafRow(start, NONE)),
  ]
}

function withCount({ buckets, counts }: FollowerTotals, bucket: number, count: number): FollowerTotals {
  if (buckets.length === 0) return { buckets: Uint32Array.of(bucket), counts: Uint32Array.of(count) }
  const all = insertSorted(buckets, bucket)
  const of = (b: number) => (b === bucket ? count : (counts[lowerBound(buckets, b)] ?? 0))
  return { buckets: all, counts: Uint32Array.from(all, of) }
}
