/** Reads follower numbers by key range from leaf rows (see `followers.ts`). */

import { parseKey, u32Key } from '../../core/keys.ts'
import type { KeyedRange } from '../../engine/fanout/audience.ts'
import type { Store } from '../../ports/store/store.ts'
import { followerLeavesTable } from '../tables.ts'

const LEAVES_A_RANGE_MAX = 1_000
/** Leaves may split while a fan-out is under way: a run of 64 leaves room for that below the limit of a range. */
const LEAVES_A_RUN_MAX = 64

/**
 * The numbers that leaves hold in each range, sorted. Ranges that follow one another in a bucket are read as one
 * run: the store opens one range, and not one for each leaf.
 */
export async function readLeaves(store: Store, ranges: readonly KeyedRange[]): Promise<Uint32Array[]> {
  const runs = runsOf(ranges)
  const pages = await store.range(
    runs.map(({ first, to }) => ({
      table: followerLeavesTable,
      partition: followerLeavesTable.key(first.key, first.bucket, 0).partition,
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

/** Some ranges that follow one another: `length` of them, from index `at` on. */
interface Run {
  readonly first: KeyedRange
  readonly at: number
  length: number
  to: number
}

function runsOf(ranges: readonly KeyedRange[]): Run[] {
  const runs: Run[] = []
  ranges.forEach((range, at) => {
    const run = runs[runs.length - 1]
    const follows = run?.to === range.from && run.first.key === range.key && run.first.bucket === range.bucket
    if (follows && run.length < LEAVES_A_RUN_MAX) {
      run.length++
      run.to = range.to
    } else runs.push({ first: range, at, length: 1, to: range.to })
  })
  return runs
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
