/**
 * Waits until this process knows everything that was written before, by whichever process. A round reads the ends of the
 * log and waits until this process has come that far in every partition. Callers during a round share the next round,
 * because the ends that the current one has read may be from before their calls.
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
  /** Everything in the partition below this position is projected, and in the caches of this process. */
  readonly hasReached: (partition: number, position: number) => boolean
  readonly isStopped: () => boolean
}

/** @returns a function that resolves once all that was appended before its call is known here, or rejects with `unavailable` */
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
        throw new RivuletError('unavailable', 'this process has not caught up with earlier writes yet; retry')
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
