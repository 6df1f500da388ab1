/**
 * Pieces of work that all become possible at once, one a turn of the event loop: whoever else has something to do,
 * as a request that finds all of its answer in memory, waits for one piece, and not for all of them.
 */

import type { Env } from '../ports/env/env.ts'

export interface Pace {
  /** Resolves when the caller may do its next piece of work, in the order of asking; it should take no more than a few milliseconds. */
  turn(): Promise<void>
}

export function createPace(env: Env): Pace {
  const waiting: (() => void)[] = []
  let isRunning = false

  async function run(): Promise<void> {
    isRunning = true
    while (waiting.length > 0) {
      await env.yield()
      waiting.shift()?.()
    }
    isRunning = false
  }

  return {
    turn: () =>
      new Promise((resolve) => {
        waiting.push(resolve)
        if (!isRunning) void run()
      }),
  }
}
