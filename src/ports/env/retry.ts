/** Repeats a task that failed with a retriable error, after growing, jittered pauses. For idempotent tasks. */

import { isRetriable } from '../../core/errors.ts'
import type { Env } from './env.ts'
import { sleep } from './sleep.ts'

const DELAYS_MS = [10, 50, 250, 1_000, 5_000]

const ATTEMPTS_WHEN_STOPPED = 3

/** Repeats the task until it succeeds or fails with an error that is not retriable; once stopped, only a few times. */
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
