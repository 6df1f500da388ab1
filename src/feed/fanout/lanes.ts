/**
 * Which followers each lane of a large fan-out serves: first those whom the author follows back (close), then those
 * seen lately (active), then the rest. Minutes fixed in the plan tell active from rest, so that a follower who is seen
 * while the fan-out runs does not fall between the two.
 */

import { includesSorted, lowerBound } from '../../core/sorted.ts'
import { SHARES, edgeBucket, firstOf, type Activity, type Circle } from '../../graph/index.ts'
import { LANES, type Plan } from '../tables.ts'

export const CLOSE_LANE = LANES.indexOf('close')
const ACTIVE_LANE = LANES.indexOf('active')
export const REST_LANE = LANES.indexOf('rest')

/** What decides about the lane of a follower. */
export interface Audience {
  readonly plan: Plan
  /** The author's circle when the fan-out began. */
  readonly friends: Circle
  /** An earlier process began it, whose `friends` may have been others. */
  readonly resumed: boolean
  /** When this process began with it: followers seen from then on may have changed lanes. */
  readonly begunMinute: number
}

interface Selection {
  /** To insert for. */
  readonly owners: Uint32Array
  /** To evict and skip; only the last lane gives any. */
  readonly inactive: readonly number[]
  /** How many followers of this lane have the post after it; after the last lane, how many of all lanes. */
  readonly reached: number
}

/**
 * Picks from the followers of a chunk those that a lane serves. The first two lanes serve their own. The last one makes
 * sure of everybody: it leaves out only followers that an earlier lane of this very process has certainly served.
 */
export function selectLane(
  activity: Activity,
  { plan, friends, resumed, begunMinute }: Audience,
  lane: number,
  numbers: Uint32Array,
): Selection {
  const owners = new Uint32Array(numbers.length)
  const inactive: number[] = []
  let kept = 0
  let reached = 0
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i]
    if (plan.share < SHARES && edgeBucket(number, plan.author) >= plan.share) continue
    const minute = activity.minuteOf(number)
    if (minute > 0 && minute < plan.inactiveBeforeMinute) {
      if (lane === REST_LANE) inactive.push(number)
      continue
    }
    const own = laneOf(number, minute, plan, friends)
    if (lane === REST_LANE || own === lane) reached++
    if (own === lane || (lane === REST_LANE && (resumed || minute >= begunMinute))) owners[kept++] = number
  }
  return { owners: owners.subarray(0, kept), inactive, reached }
}

function laneOf(number: number, minute: number, plan: Plan, friends: Circle): number {
  if (includesSorted(friends.following, number)) return CLOSE_LANE
  return minute === 0 || minute >= plan.activeFromMinute ? ACTIVE_LANE : REST_LANE
}

/** Whether a chunk may hold a close follower. Most do not, and the first lane passes those without reading them. */
export function holdsFriend({ plan, friends }: Audience, chunk: number): boolean {
  const { bucket, from, to } = plan.chunks[chunk]
  const next = lowerBound(friends.following, Math.max(from, firstOf(bucket)))
  return friends.following[next] < Math.min(to, firstOf(bucket + 1))
}
