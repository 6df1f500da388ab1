/**
 * Waits until what others have written is known here. A round looks at the ends of the log and waits until this
 * process has come that far in every partition; whoever asks while one is under way shares the next.
 */

import { RivuletError } from '../../core/errors.ts'
import type { Env } from '../../ports/env/env.ts'
import { sleep } from '../../ports/env/sleep.ts'
import type { Log } from '../../ports/log/log.ts'

const WITHIN_MS = 10_000
const LOOK_MS = 5

export interface CatchingUpOptions {
  readonly env: Env
  readonly log: Log
  /** All of the partition below this position is projected, and in this process's caches. */
  readonly hasReached: (partition: number, position: number) => boolean
  readonly isStopped: () => boolean
}

/** The function resolves once everything that was appended before its call is known here, or throws `unavailable`. */
export function createCatchingUp({
  env,
  log,
  hasReached,
  isStopped,
}: CatchingUpOptions): () => Promise<void> {
  let current: Promise<void> | undefined
  let next: Promise<void> | undefined

  async function round(): Promise<void> {
    const ends = (await log.bounds()).map(({ end }) => end)
    const untilMs = env.monotonicMs() + WITHIN_MS
    while (!ends.every((end, partition) => hasReached(partition, end))) {
      if (isStopped() || env.monotonicMs() > untilMs) {
        throw new RivuletError('unavailable', 'what others have written is not known here yet')
      }
      await sleep(env, LOOK_MS)
    }
  }

  return function catchUp(): Promise<void> {
    if (current === undefined) return (current = round().finally(() => (current = undefined)))
    next ??= current
      .catch(() => undefined)
      .then(() => {
        next = undefined
        return catchUp()
      })
    return next
  }
}
