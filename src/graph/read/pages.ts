/** Pages of account numbers: in their order, above a given number. */

import { lowerBound } from '../../core/sorted.ts'
import type { AudiencePart } from '../../engine/fanout/audience.ts'
import type { Store } from '../../ports/store/store.ts'
import { bucketOf } from '../tables.ts'
import { createFollowerAudience } from './audiences.ts'
import { readLeaves } from './leaves.ts'

export interface NumberPage {
  readonly numbers: readonly number[]
  readonly hasMore: boolean
}

export function pageOf(sorted: Uint32Array, after: number, limit: number): NumberPage {
  return cut(slice(sorted, after, limit + 1), limit)
}

export async function followersPage(
  store: Store,
  followee: number,
  after: number,
  limit: number,
): Promise<NumberPage> {
  const [parts] = await createFollowerAudience(store).partsOf([followee])
  const numbers: number[] = []
  for (const part of parts) {
    if (part.bucket < bucketOf(after) || numbers.length > limit) continue
    numbers.push(...(await readPart(store, followee, part, after, limit + 1 - numbers.length)))
  }
  return cut(numbers, limit)
}

async function readPart(
  store: Store,
  key: number,
  { bucket, members, starts }: AudiencePart,
  after: number,
  limit: number,
): Promise<number[]> {
  if (starts.length === 0) return slice(members, after, limit)
  const numbers: number[] = []
  let at = Math.max(0, lowerBound(starts, after + 1) - 1)
  while (numbers.length < limit && at < starts.length) {
    const to = starts[at + 1] ?? Infinity
    const [leaf] = await readLeaves(store, [{ key, bucket, from: starts[at], to }])
    numbers.push(...slice(leaf, after, limit - numbers.length))
    at++
  }
  return numbers
}

/** One number more than the page may hold was read: it tells that there is more. */
const cut = (numbers: readonly number[], limit: number): NumberPage => ({
  numbers: numbers.slice(0, limit),
  hasMore: numbers.length > limit,
})

function slice(sorted: Uint32Array, after: number, limit: number): number[] {
  const from = lowerBound(sorted, after + 1)
  return [...sorted.subarray(from, from + limit)]
}
