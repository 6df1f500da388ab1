/** Splits an ordinary audience into followers to serve and inactive ones to skip. */

import { SHARES, edgeBucket, type Graph } from '../../graph/index.ts'
import type { Outgoing } from './audience.ts'
import type { Counts } from './receipts.ts'

/**
 * @param away inactive followers are added to it
 * @returns a function that picks the followers to serve from one piece of the post's audience, and counts them
 */
export function selectorOf(
  { activity, policies }: Graph,
  { event, share }: Outgoing,
  counts: Counts,
  away: number[],
): (numbers: Uint32Array) => Uint32Array {
  const { author } = event.body
  const inactiveBefore = activity.minuteAgo(policies.current.inactive_days * 86_400_000)
  const activeFrom = activity.minuteAgo(policies.current.active_hours * 3_600_000)
  return (numbers) => {
    const owners = new Uint32Array(numbers.length)
    let kept = 0
    for (let i = 0; i < numbers.length; i++) {
      const number = numbers[i]
      if (share < SHARES && edgeBucket(number, author) >= share) continue
      const minute = activity.minuteOf(number)
      // An account of which nothing is known (minute 0) counts as active.
      if (minute > 0 && minute < inactiveBefore) {
        away.push(number)
        counts.inactive++
        continue
      }
      owners[kept++] = number
      if (minute === 0 || minute >= activeFrom) counts.active++
    }
    counts.owners += kept
    return owners.subarray(0, kept)
  }
}
