/**
 * Pieces of work that all become possible at once, one a turn of the event loop: whoever else has something to do,
 * as a request that finds all of its answer in memory, waits for one piece, and not for all of them.
 */

import type { Env } from '../../ports/env/env.ts'

/** What a piece belongs to. What is nearly done goes first, so that some are answered early instead of all late. */
export const STAGES = ['background', 'begun', 'read', 'found'] as const
export type Stage = (typeof STAGES)[number]

export interface Pace {
  /**
   * Resolves when the caller may do its next piece of work, which should take no more than a few milliseconds: the
   * furthest stage first, and within one in the order of asking.
   */
  turn(stage: Stage): Promise<void>
}

export function createPace(env: Env): Pace {
  const waiting = STAGES.map((): (() => void)[] => [])
  let isRunning = false

  const furthest = () => waiting.findLast((list) => list.length > 0)

  async function run(): Promise<void> {
    isRunning = true
    while (furthest() !== undefined) {
      await env.yield()
      furthest()?.shift()?.()
    }
    isRunning = false
  }

  return {
    turn: (stage) =>
      new Promise((resolve) => {
        waiting[STAGES.indexOf(stage)].push(resolve)
        if (!isRunning) void run()
      }),
  }
}
