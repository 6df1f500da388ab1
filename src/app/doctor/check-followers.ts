/** Checks that the heads, leaves and totals of followers agree exactly. */

import { parseKey } from '../../core/keys.ts'
import {
  followerHeadsTable,
  followerLeavesTable,
  followerTotalsTable,
  isDirectory,
  type FollowerHead,
} from '../../graph/index.ts'
import type { Row, Store } from '../../ports/store/store.ts'
import { createFaults, type Faults, type Finding, type Patient } from './check.ts'
import { scanPages, sum } from './pages.ts'

const LEAVES_MAX = 10_000

/** The followers of one account in one bucket. */
export interface AudienceRow {
  readonly followee: number
  readonly bucket: number
  readonly head: FollowerHead
}

export async function checkFollowers({ ports: { store } }: Patient): Promise<Finding> {
  const faults = createFaults()
  let followers = 0
  for await (const audiences of audiencePages(store)) {
    const lists = await numbersOf(store, audiences, faults)
    audiences.forEach(({ followee, head }, i) => {
      followers += lists[i].length
      const rises = lists[i].every((number, at) => at === 0 || lists[i][at - 1] < number)
      faults.expect(rises, () => `the followers of number ${followee} are not in order`)
      const text = () => `number ${followee} has ${lists[i].length} followers, its head says ${head.count}`
      faults.expect(lists[i].length === head.count, text)
    })
    await checkTotals(store, audiences, faults)
  }
  for await (const page of scanPages(store, followerTotalsTable)) await checkHeads(store, page, faults)
  return faults.finding('followers', `${followers} followers`)
}

export async function* audiencePages(store: Store): AsyncGenerator<AudienceRow[]> {
  for await (const page of scanPages(store, followerHeadsTable)) {
    yield page.map((row) => {
      const [followee, bucket] = row.partition.split('.')
      return { followee: parseKey(followee), bucket: Number(bucket), head: followerHeadsTable.decode(row) }
    })
  }
}

/** The numbers of the followers in each audience, from its head or its leaves. */
export async function numbersOf(
  store: Store,
  audiences: readonly AudienceRow[],
  faults: Faults,
): Promise<Uint32Array[]> {
  const large = audiences.filter(({ head }) => isDirectory(head))
  const pages = await store.range(
    large.map(({ followee, bucket }) => ({
      table: followerLeavesTable,
      partition: followerLeavesTable.key(followee, bucket, 0).partition,
      from: '',
      limit: LEAVES_MAX,
    })),
  )
  let next = 0
  return audiences.map((audience) =>
    isDirectory(audience.head) ? fromLeaves(audience, pages[next++], faults) : audience.head.numbers,
  )
}

function fromLeaves({ followee, head }: AudienceRow, rows: readonly Row[], faults: Faults): Uint32Array {
  const leaves = rows.map((row) => ({ start: parseKey(row.sort), numbers: followerLeavesTable.decode(row) }))
  const filled = leaves.filter(({ numbers }) => numbers.length > 0)
  const sizes = new Map(filled.map(({ start, numbers }) => [start, numbers.length]))
  head.leafStarts.forEach((start, i) => {
    const size = sizes.get(start) ?? 0
    const text = () =>
      `a leaf of number ${followee} has ${size} followers, the head says ${head.leafCounts[i]}`
    faults.expect(size === head.leafCounts[i], text)
  })
  const listed = new Set(head.leafStarts)
  for (const { start } of filled) {
    faults.expect(
      listed.has(start),
      () => `number ${followee} has a leaf from ${start} that its head does not list`,
    )
  }
  const numbers = new Uint32Array(sum(filled.map((leaf) => leaf.numbers.length)))
  let at = 0
  for (const leaf of filled) {
    numbers.set(leaf.numbers, at)
    at += leaf.numbers.length
  }
  return numbers
}

async function checkTotals(store: Store, audiences: readonly AudienceRow[], faults: Faults): Promise<void> {
  const totals = await store.get(audiences.map(({ followee }) => followerTotalsTable.key(followee)))
  audiences.forEach(({ followee, bucket, head }, i) => {
    const row = totals[i]
    const total = row === undefined ? undefined : followerTotalsTable.decode(row)
    const count = total?.counts[total.buckets.indexOf(bucket)] ?? 0
    const text = () => `the total of number ${followee} says ${count} followers, its head ${head.count}`
    faults.expect(count === head.count, text)
  })
}

async function checkHeads(store: Store, page: readonly Row[], faults: Faults): Promise<void> {
  const wanted = page.flatMap((row) => {
    const followee = parseKey(row.partition)
    const { buckets, counts } = followerTotalsTable.decode(row)
    return [...buckets].flatMap((bucket, i) => (counts[i] > 0 ? [{ followee, bucket }] : []))
  })
  const heads = await store.get(
    wanted.map(({ followee, bucket }) => followerHeadsTable.key(followee, bucket)),
  )
  wanted.forEach(({ followee }, i) =>
    faults.expect(heads[i] !== undefined, () => `number ${followee} has a total of followers, but no head`),
  )
}
