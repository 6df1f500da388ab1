/** The machine's own clock, randomness and timers: the only implementation of the port that uses them. */

import { randomBytes } from 'node:crypto'
import type { Env } from './env.ts'

/** `setTimeout` fires at once for longer delays. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1

export const createRealEnv = (): Env => ({
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  random: () => Math.random(),
  randomBytes: (size) => randomBytes(size),
  timer: realTimer,
  yield: () => new Promise((resolve) => setImmediate(resolve)),
})

function realTimer(delayMs: number, task: () => void): { cancel(): void } {
  let handle: NodeJS.Timeout
  const arm = (remainingMs: number) => {
    const stepMs = Math.min(Math.max(remainingMs, 0), TIMEOUT_MS_MAX)
    handle = setTimeout(() => (remainingMs > stepMs ? arm(remainingMs - stepMs) : task()), stepMs)
    handle.unref()
  }
  arm(delayMs)
  return { cancel: () => clearTimeout(handle) }
}
