/** Tells other processes, by an event, which accounts this one has seen. */

import type { EngineContext } from '../../engine/context.ts'
import { seen } from '../events.ts'

/** A longer list is told in several events, one after each interval. */
const TOLD_AT_ONCE_MAX = 10_000
/** All of these events have this key: they belong to no account. */
const TELL_KEY = 0

export interface SeenTeller {
  /** Others are told of this account with the next `tell`. */
  add(number: number): void
  tell(): Promise<void>
}

/** @param minuteNow the current minute, which is told as the one in which the accounts were seen */
export function createSeenTeller({ tell }: EngineContext, minuteNow: () => number): SeenTeller {
  const untold = new Set<number>()
  return {
    add: (number) => void untold.add(number),
    async tell() {
      const numbers: number[] = []
      for (const number of untold) {
        if (numbers.push(number) === TOLD_AT_ONCE_MAX) break
      }
      for (const number of numbers) untold.delete(number)
      if (numbers.length === 0) return
      const body = { minute: minuteNow(), numbers: Uint32Array.from(numbers) }
      await tell(seen, TELL_KEY, body).catch(() => numbers.forEach((number) => untold.add(number)))
    },
  }
}
