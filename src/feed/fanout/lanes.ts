/**
 * Which followers each lane of a large fan-out serves: first those whom the author follows back (close), then those
 * seen lately (active), then the rest. Minutes fixed in the plan tell active from rest, so that a follower who is seen
 * while the fan-out runs does not fall between the two.
 */

import { includesSorted, lowerBound } from '../../core/sorted.ts'
import type { MemberRange } from '../../engine/fanout/audience.ts'
import type { Lanes, Selected } from '../../engine/fanout/lanes.ts'
import { SHARES, edgeBucket } from '../../engine/fanout/policy.ts'
import type { Plan } from '../../engine/fanout/tables.ts'
import { firstOf, type Activity, type Circle, type Graph } from '../../graph/index.ts'
import type { PostBody } from '../events.ts'
import { ACTIVE_LANE, CLOSE_LANE, LANES, REST_LANE, type Minutes } from '../tables.ts'
import { selectorOf } from './select.ts'

export function followerLanes({ activity, circles, policies }: Graph): Lanes<PostBody, Minutes> {
  const freeze = (): Minutes => ({
    activeFromMinute: activity.minuteAgo(policies.current.active_hours * 3_600_000),
    inactiveBeforeMinute: activity.minuteAgo(policies.current.inactive_days * 86_400_000),
  })
  return {
    names: LANES,
    freeze,
    pick: (of, counts, skipped) => selectorOf(activity, freeze(), of, counts, skipped),
    async begin(plan, resumed) {
      const friends = await circles.of(plan.key)
      const ofPlan = { plan, friends, resumed, begunMinute: activity.minuteAgo(0) }
      return {
        mayHold: (lane, chunk) => lane !== CLOSE_LANE || holdsFriend(friends, chunk),
        select: (lane, numbers) => selectLane(activity, ofPlan, lane, numbers),
      }
    },
  }
}

/** What decides about the lane of a follower. */
export interface OfPlan {
  readonly plan: Plan<Minutes>
  /** The author's circle when the fan-out began. */
  readonly friends: Circle
  /** An earlier process began it, whose `friends` may have been others. */
  readonly resumed: boolean
  /** When this process began with it: followers seen from then on may have changed lanes. */
  readonly begunMinute: number
}

/**
 * Picks from the followers of a chunk those that a lane serves; the last lane skips those that are inactive. The first
 * two lanes serve their own. The last one makes sure of everybody: it leaves out only followers that an earlier lane of
 * this very process has certainly served.
 */
export function selectLane(
  activity: Activity,
  { plan, friends, resumed, begunMinute }: OfPlan,
  lane: number,
  numbers: Uint32Array,
): Selected {
  const { key, share, frozen } = plan
  const owners = new Uint32Array(numbers.length)
  const skipped: number[] = []
  let kept = 0
  let reached = 0
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i]
    if (share < SHARES && edgeBucket(number, key) >= share) continue
    const minute = activity.minuteOf(number)
    if (minute > 0 && minute < frozen.inactiveBeforeMinute) {
      if (lane === REST_LANE) skipped.push(number)
      continue
    }
    const own = laneOf(number, minute, frozen, friends)
    if (lane === REST_LANE || own === lane) reached++
    if (own === lane || (lane === REST_LANE && (resumed || minute >= begunMinute))) owners[kept++] = number
  }
  return { owners: owners.subarray(0, kept), skipped, reached }
}

function laneOf(number: number, minute: number, { activeFromMinute }: Minutes, friends: Circle): number {
  if (includesSorted(friends.following, number)) return CLOSE_LANE
  return minute === 0 || minute >= activeFromMinute ? ACTIVE_LANE : REST_LANE
}

/** Whether a chunk may hold a close follower. Most do not, and the first lane passes those without reading them. */
export function holdsFriend(friends: Circle, { bucket, from, to }: MemberRange): boolean {
  const next = lowerBound(friends.following, Math.max(from, firstOf(bucket)))
  return friends.following[next] < Math.min(to, firstOf(bucket + 1))
}
