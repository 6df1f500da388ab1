/**
 * Bounds how many calls run at once, and how long a call waits for its turn. A client that sent everything at once would
 * only move the queue into the servers, where nobody sees it.
 */

import { RivuletError } from '../../../core/errors.ts'
import type { Env } from '../../env/env.ts'

export interface Slots {
  /** Nothing runs and nothing waits. */
  readonly isIdle: boolean
  run<T>(task: () => Promise<T>): Promise<T>
}

export interface SlotOptions {
  readonly env: Env
  readonly count: number
  readonly waitingMax: number
  /** A call that has waited longer is refused when its turn comes: its caller has given up, or soon will. */
  readonly waitMsMax: number
}

const RETRY_AFTER_MS = 1_000

export function createSlots({ env, count, waitingMax, waitMsMax }: SlotOptions): Slots {
  const waiting: (() => void)[] = []
  let running = 0

  async function wait(): Promise<void> {
    if (waiting.length >= waitingMax)
      throw overloaded(`${waitingMax} calls wait for Cassandra already; retry later`)
    const sinceMs = env.monotonicMs()
    await new Promise<void>((resolve) => waiting.push(resolve))
    if (env.monotonicMs() - sinceMs <= waitMsMax) return
    leave()
    throw overloaded(`a call waited more than ${waitMsMax} ms for its turn at Cassandra; retry later`)
  }
  // Hands the slot to the next call without freeing it, so that no other call can take it in between.
  function leave(): void {
    const next = waiting.shift()
    if (next === undefined) running--
    else next()
  }
  return {
    get isIdle() {
      return running === 0
    },
    async run(task) {
      if (running >= count) await wait()
      else running++
      try {
        return await task()
      } finally {
        leave()
      }
    },
  }
}

const overloaded = (message: string) =>
  new RivuletError('overloaded', message, { retryAfterMs: RETRY_AFTER_MS })

/**
 * Runs `task` for all items, at most `width` at once, so that one large call does not take every slot. After a failure it
 * begins no more, and throws once the tasks under way have ended.
 * @returns the answers in the order of the items
 */
export async function mapBounded<T, R>(
  items: readonly T[],
  width: number,
  task: (item: T) => Promise<R>,
): Promise<R[]> {
  const answers: R[] = Array.from({ length: items.length })
  const failures: unknown[] = []
  let next = 0
  const lane = async () => {
    while (next < items.length && failures.length === 0) {
      const index = next++
      try {
        answers[index] = await task(items[index])
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane))
  if (failures.length > 0) throw failures[0]
  return answers
}
