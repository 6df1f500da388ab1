/**
 * Whom each lane of a large fan-out serves: close followers (whom the author follows back), those seen lately,
 * the rest. Minutes frozen in the plan tell them apart, so that nobody falls between two lanes by being seen.
 */

import { includesSorted, lowerBound } from '../../core/sorted.ts'
import { SHARES, edgeBucket, firstOf, type Activity, type Circle } from '../../graph/index.ts'
import { LANES, type Plan } from '../tables.ts'

export const CLOSE_LANE = LANES.indexOf('close')
const ACTIVE_LANE = LANES.indexOf('active')
export const REST_LANE = LANES.indexOf('rest')

/** What a lane is told by. */
export interface Audience {
  readonly plan: Plan
  /** The author's circle when the fan-out began. */
  readonly friends: Circle
  /** Begun by an earlier process, which may have known other friends. */
  readonly resumed: boolean
  /** When this process took it up: who is seen from then on may change lanes. */
  readonly begunMinute: number
}

interface Selection {
  /** To be served. */
  readonly owners: Uint32Array
  /** To be evicted and skipped; found by the last lane only. */
  readonly inactive: readonly number[]
  /** How many of the lane have the post; in the last lane, of all lanes. */
  readonly reached: number
}

/**
 * The first two lanes take whom they know; the last one makes sure of everybody: it leaves out only those who,
 * by the frozen minutes, cannot but have been served before.
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

/** Most chunks hold nobody whom the author follows: the first lane passes them without a look. */
export function holdsFriend({ plan, friends }: Audience, chunk: number): boolean {
  const { bucket, from, to } = plan.chunks[chunk]
  const next = lowerBound(friends.following, Math.max(from, firstOf(bucket)))
  return friends.following[next] < Math.min(to, firstOf(bucket + 1))
}
