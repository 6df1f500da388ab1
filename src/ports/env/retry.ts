/** Tries again what failed for a while only, with growing, jittered pauses. For work that is idempotent. */

import { isRetriable } from '../../core/errors.ts'
import type { Env } from './env.ts'
import { sleep } from './sleep.ts'

const DELAYS_MS = [10, 50, 250, 1_000, 5_000]

const ATTEMPTS_WHEN_STOPPED = 3

/** Goes on until the task succeeds or fails for good: its callers have nothing better to do. Once stopped, it gives up soon. */
export async function retrying<T>(env: Env, isStopped: () => boolean, task: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await task()
    } catch (error) {
      if ((isStopped() && attempt >= ATTEMPTS_WHEN_STOPPED) || !isRetriable(error)) throw error
      const delayMs = DELAYS_MS[Math.min(attempt, DELAYS_MS.length - 1)]
      await sleep(env, delayMs * (0.5 + env.random() / 2))
    }
  }
}
