/** Checks both sides of each follow: the row of whom an account follows, and its number among the followers. */

import { LIMITS } from '../../core/limits.ts'
import { includesSorted } from '../../core/sorted.ts'
import { parseKey } from '../../core/keys.ts'
import { bucketOf, numbersTable } from '../../graph/index.ts'
import type { Store } from '../../ports/store/store.ts'
import { sortBy, U32List } from '../import/numbers-list.ts'
import { createFaults, type Faults, type Finding, type Patient } from './check.ts'
import { audiencePages, numbersOf } from './check-followers.ts'
import { scanPages } from './pages.ts'

const BUCKET_NUMBERS = 2 ** LIMITS.followerBucketBits
const CIRCLES_AT_A_TIME = 256

/** Takes one bucket of followers at a time, so that memory is bounded by the followers of a bucket. */
export async function checkFollows(patient: Patient): Promise<Finding> {
  const faults = createFaults()
  const accounts = await accountNumbers(patient.ports.store)
  const show = patient.progress('follows')
  let follows = 0
  let looked = 0
  for (const [bucket, numbers] of accounts) {
    const followeesOf = await readBucket(patient.ports.store, bucket, faults)
    for (let from = 0; from < numbers.length; from += CIRCLES_AT_A_TIME) {
      const some = numbers.slice(from, from + CIRCLES_AT_A_TIME)
      const circles = await Promise.all(some.map(async (number) => patient.rivulet.graph.circles.of(number)))
      for (const { number, following } of circles) {
        follows += following.length
        compare(number, following, followeesOf(number), faults)
      }
      show((looked += some.length), numbers.length)
    }
  }
  return faults.finding('follows', `${follows} follows`)
}

async function accountNumbers(store: Store): Promise<Map<number, number[]>> {
  const buckets = new Map<number, number[]>()
  for await (const page of scanPages(store, numbersTable)) {
    for (const row of page) {
      const number = parseKey(row.sort)
      const list = buckets.get(bucketOf(number))
      if (list === undefined) buckets.set(bucketOf(number), [number])
      else list.push(number)
    }
  }
  return buckets
}

/** @returns whom an account of the bucket follows, as the rows of followers have it; sorted */
async function readBucket(store: Store, bucket: number, faults: Faults) {
  const [followers, followees] = [new U32List(), new U32List()]
  for await (const page of audiencePages(store)) {
    const audiences = page.filter((audience) => audience.bucket === bucket)
    // Faults within these rows are reported by checkFollowers.
    const lists = await numbersOf(store, audiences, createFaults())
    lists.forEach((numbers, i) => {
      for (const number of numbers) {
        if (bucketOf(number) !== bucket) {
          faults.add(`number ${number} is in the wrong bucket of number ${audiences[i].followee}`)
          continue
        }
        followers.push(number - bucket * BUCKET_NUMBERS)
        followees.push(audiences[i].followee)
      }
    })
  }
  const keys = followers.view()
  const order = sortBy(keys, BUCKET_NUMBERS)
  const starts = new Uint32Array(BUCKET_NUMBERS + 1)
  for (const key of keys) starts[key + 1]++
  for (let key = 0; key < BUCKET_NUMBERS; key++) starts[key + 1] += starts[key]
  const all = followees.view()
  return (number: number): Uint32Array => {
    const key = number - bucket * BUCKET_NUMBERS
    return order
      .subarray(starts[key], starts[key + 1])
      .map((edge) => all[edge])
      .sort()
  }
}

function compare(number: number, following: Uint32Array, byFollowers: Uint32Array, faults: Faults): void {
  for (const followee of following) {
    const text = () => `number ${number} follows ${followee}, but is not among its followers`
    faults.expect(includesSorted(byFollowers, followee), text)
  }
  for (const followee of byFollowers) {
    const text = () => `number ${number} is among the followers of ${followee}, but does not follow it`
    faults.expect(includesSorted(following, followee), text)
  }
}
