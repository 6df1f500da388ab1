/** Waits, by the timers of an environment. */

import type { Env } from './env.ts'

export const sleep = (env: Pick<Env, 'timer'>, delayMs: number): Promise<void> =>
  new Promise((resolve) => void env.timer(delayMs, resolve))
