/**
 * Runs pieces of work one per turn of the event loop, even when many of them become possible at once. Other work between
 * them, such as a request that is answered from memory, then waits for one piece and not for all of them.
 */

import type { Env } from '../../ports/env/env.ts'

/**
 * The stages of a request, lowest priority first. Requests that are nearly done go first, so that some are answered
 * early instead of all of them late.
 */
export const STAGES = ['background', 'begun', 'read', 'found'] as const
export type Stage = (typeof STAGES)[number]

export interface Pace {
  /**
   * Resolves when the caller may do its next piece of work, which should take no more than a few milliseconds. The
   * furthest stage goes first; within a stage, callers go in the order of their calls.
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
