/** Splits an ordinary audience into followers to serve and inactive ones to skip. */

import type { Counts, Outgoing } from '../../engine/fanout/lanes.ts'
import { SHARES, edgeBucket } from '../../engine/fanout/policy.ts'
import type { Activity } from '../../graph/index.ts'
import { ACTIVE_LANE, REST_LANE, type Minutes } from '../tables.ts'

/**
 * @param away inactive followers are added to it
 * @returns a function that picks the followers to serve from one piece of the post's audience, and counts them
 */
export function selectorOf(
  activity: Activity,
  { activeFromMinute, inactiveBeforeMinute }: Minutes,
  { event: { key: author }, share }: Outgoing,
  counts: Counts,
  away: number[],
): (numbers: Uint32Array) => Uint32Array {
  return (numbers) => {
    const owners = new Uint32Array(numbers.length)
    let kept = 0
    let active = 0
    for (let i = 0; i < numbers.length; i++) {
      const number = numbers[i]
      if (share < SHARES && edgeBucket(number, author) >= share) continue
      const minute = activity.minuteOf(number)
      // An account of which nothing is known (minute 0) counts as active.
      if (minute > 0 && minute < inactiveBeforeMinute) {
        away.push(number)
        counts.skipped++
        continue
      }
      owners[kept++] = number
      if (minute === 0 || minute >= activeFromMinute) active++
    }
    counts.served += kept
    counts.lanes[ACTIVE_LANE] += active
    counts.lanes[REST_LANE] += kept - active
    return owners.subarray(0, kept)
  }
}
