/** Reads of the graph: pages of followers and followees, exact counts, look-up by any name. */

import { lowerBound } from '../core/sorted.ts'
import { parseKey, u32Key } from '../core/keys.ts'
import type { Store } from '../ports/store/store.ts'
import type { Accounts } from './accounts.ts'
import type { Circles } from './circle.ts'
import { isDirectory } from './followers.ts'
import {
  bucketOf,
  externalIdsTable,
  followerHeadsTable,
  followerLeavesTable,
  followerTotalsTable,
  handlesTable,
  type Account,
  type FollowerHead,
} from './tables.ts'

export interface NumberPage {
  readonly numbers: readonly number[]
  readonly hasMore: boolean
}

/** One bucket of an audience, and how to read it in pieces. */
export interface AudienceBucket {
  readonly bucket: number
  readonly head: FollowerHead
}

export interface GraphReads {
  byExternalId(externalId: string): Promise<Account | undefined>
  /** The account that an event made, by what its request named; `undefined` if another one holds the name. */
  createdBy(
    event: number,
    names: { externalId?: string | undefined; handle?: string | undefined },
  ): Promise<Account | undefined>
  followersCount(number: number): Promise<number>
  followingCount(number: number): Promise<number>
  /** In the order of account numbers, above `after`. */
  followers(number: number, after: number, limit: number): Promise<NumberPage>
  following(number: number, after: number, limit: number): Promise<NumberPage>
  /** Heads of all buckets of several audiences; two round trips at most. */
  audiences(followees: readonly number[]): Promise<readonly (readonly AudienceBucket[])[]>
  /** Followers in key ranges; one sorted array a range, whatever became of the rows since it was named. */
  followersIn(ranges: readonly FollowerRange[]): Promise<readonly Uint32Array[]>
}

export interface FollowerRange {
  readonly followee: number
  readonly bucket: number
  readonly from: number
  /** Exclusive; `Infinity` for the end of the bucket. */
  readonly to: number
}

const LEAVES_A_RANGE_MAX = 1_000
/** Leaves may split while a fan-out is under way: a run leaves room for that. */
const LEAVES_A_RUN_MAX = 64

export function createGraphReads(store: Store, accounts: Accounts, circles: Circles): GraphReads {
  async function totals(followees: readonly number[]) {
    const rows = await store.get(followees.map((followee) => followerTotalsTable.key(followee)))
    return rows.map((row) => (row === undefined ? undefined : followerTotalsTable.decode(row)))
  }

  /** Nearly every audience lies in the first bucket alone: its head is read together with the totals. */
  async function audiences(followees: readonly number[]) {
    const rows = await store.get(
      followees.flatMap((followee) => [
        followerTotalsTable.key(followee),
        followerHeadsTable.key(followee, 0),
      ]),
    )
    const audiences = followees.map((): AudienceBucket[] => [])
    const elsewhere: { at: number; bucket: number }[] = []
    followees.forEach((_, at) => {
      const [total, head] = [rows[2 * at], rows[2 * at + 1]]
      if (head !== undefined) audiences[at].push({ bucket: 0, head: followerHeadsTable.decode(head) })
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
      if (row !== undefined) audiences[at].push({ bucket, head: followerHeadsTable.decode(row) })
    })
    return audiences
  }

  /** Ranges that follow one another in a bucket are read as one: the store opens one range, not one a leaf. */
  async function leaves(ranges: readonly FollowerRange[]): Promise<Uint32Array[]> {
    const runs = runsOf(ranges)
    const pages = await store.range(
      runs.map(({ first, to }) => ({
        table: followerLeavesTable,
        partition: followerLeavesTable.key(first.followee, first.bucket, 0).partition,
        from: u32Key(first.from),
        ...(to === Infinity ? {} : { to: u32Key(to) }),
        limit: LEAVES_A_RANGE_MAX,
      })),
    )
    const parts = ranges.map((): Uint32Array[] => [])
    runs.forEach(({ at, length }, run) => {
      let range = at
      for (const row of pages[run]) {
        const start = parseKey(row.sort)
        while (range < at + length - 1 && start >= ranges[range].to) range++
        parts[range].push(followerLeavesTable.decode(row))
      }
    })
    return parts.map(concat)
  }

  async function bucketPage(
    followee: number,
    { bucket, head }: AudienceBucket,
    after: number,
    limit: number,
  ) {
    if (!isDirectory(head)) return slice(head.numbers, after, limit)
    const numbers: number[] = []
    let at = Math.max(0, lowerBound(head.leafStarts, after + 1) - 1)
    while (numbers.length < limit && at < head.leafStarts.length) {
      const to = head.leafStarts[at + 1] ?? Infinity
      const [leaf] = await leaves([{ followee, bucket, from: head.leafStarts[at], to }])
      numbers.push(...slice(leaf, after, limit - numbers.length))
      at++
    }
    return numbers
  }

  async function followersIn(ranges: readonly FollowerRange[]) {
    const found = [...(await leaves(ranges))]
    const bare = ranges.map((_, i) => i).filter((i) => found[i].length === 0)
    if (bare.length === 0) return found
    // No leaf in the range: the head may hold the numbers itself.
    const rows = await store.get(
      bare.map((i) => followerHeadsTable.key(ranges[i].followee, ranges[i].bucket)),
    )
    const grown: number[] = []
    bare.forEach((i, at) => {
      const row = rows[at]
      if (row === undefined) return
      const head = followerHeadsTable.decode(row)
      if (isDirectory(head)) grown.push(i)
      const { numbers } = head
      found[i] = numbers.subarray(lowerBound(numbers, ranges[i].from), lowerBound(numbers, ranges[i].to))
    })
    // It became a directory between the two reads, and stays one.
    const again = grown.length === 0 ? [] : await leaves(grown.map((i) => ranges[i]))
    grown.forEach((i, at) => (found[i] = again[at]))
    return found
  }

  async function byName(table: typeof handlesTable, name: string): Promise<Account | undefined> {
    const [row] = await store.get([table.key(name)])
    return row === undefined ? undefined : accounts.byId(table.decode(row).account)
  }

  return {
    audiences,
    followersIn,
    async byExternalId(externalId) {
      const account = await byName(externalIdsTable, externalId)
      // A claim whose creator failed may name an id that became somebody else.
      return account?.externalId === externalId ? account : undefined
    },
    async createdBy(event, { externalId, handle }) {
      const account =
        externalId !== undefined
          ? await byName(externalIdsTable, externalId)
          : await (handle === undefined ? accounts.byId(event) : byName(handlesTable, handle))
      return account?.createdBy === event ? account : undefined
    },
    async followersCount(number) {
      const [total] = await totals([number])
      return total === undefined ? 0 : total.counts.reduce((sum, count) => sum + count, 0)
    },
    async followingCount(number) {
      return (await circles.of(number)).following.length
    },
    async followers(number, after, limit) {
      const [buckets] = await audiences([number])
      const numbers: number[] = []
      for (const bucket of buckets) {
        if (bucket.bucket < bucketOf(after) || numbers.length > limit) continue
        numbers.push(...(await bucketPage(number, bucket, after, limit + 1 - numbers.length)))
      }
      return { numbers: numbers.slice(0, limit), hasMore: numbers.length > limit }
    },
    async following(number, after, limit) {
      const numbers = slice((await circles.of(number)).following, after, limit + 1)
      return { numbers: numbers.slice(0, limit), hasMore: numbers.length > limit }
    },
  }
}

interface Run {
  readonly first: FollowerRange
  readonly at: number
  length: number
  to: number
}

function runsOf(ranges: readonly FollowerRange[]): Run[] {
  const runs: Run[] = []
  ranges.forEach((range, at) => {
    const run = runs[runs.length - 1]
    const follows =
      run?.to === range.from && run.first.followee === range.followee && run.first.bucket === range.bucket
    if (follows && run.length < LEAVES_A_RUN_MAX) {
      run.length++
      run.to = range.to
    } else runs.push({ first: range, at, length: 1, to: range.to })
  })
  return runs
}

function slice(sorted: Uint32Array, after: number, limit: number): number[] {
  const from = lowerBound(sorted, after + 1)
  return [...sorted.subarray(from, from + limit)]
}

function concat(parts: readonly Uint32Array[]): Uint32Array {
  if (parts.length === 1) return parts[0]
  const whole = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
