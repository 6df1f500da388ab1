/** Writers that wait until their event is projected, each up to a deadline. */

import { RivuletError } from '../../core/errors.ts'
import type { Env } from '../../ports/env/env.ts'
import type { Decision } from '../events.ts'

const DEADLINE_MS = 10_000
const CHECK_MS = 1_000
/** Decisions kept per partition. A writer that comes too late for one reads it from the store. */
const DECISIONS_KEPT_MAX = 4_096

interface Waiter {
  readonly position: number
  readonly sinceMs: number
  readonly resolve: (decision: Decision | undefined) => void
  readonly reject: (error: unknown) => void
}

export interface Waiters {
  /**
   * Resolves once the event at `position` is projected, with the decision on it if that is known here. Rejects with
   * `outcome_unknown` when that takes too long.
   */
  projected(partition: number, position: number): Promise<Decision | undefined>
  /** Notes the decision on an event. To be called before `release` passes the event's position. */
  decided(partition: number, position: number, decision: Decision): void
  /** The event at `position` was buried or repeats a request: its writer gets `outcome_unknown`. */
  skip(partition: number, position: number): void
  /** All events of the partition below `position` are projected: their writers go on. */
  release(partition: number, position: number): void
  /** Rejects all writers that wait, now and later, with `error`. */
  end(error?: unknown): void
}

const delayed = () =>
  new RivuletError(
    'outcome_unknown',
    'the write was accepted, but its effects are delayed; repeat it with the same idempotency key to learn its result',
  )

const skipped = () =>
  new RivuletError(
    'outcome_unknown',
    'the write was accepted, but passed over: it repeats an earlier request, or cannot be projected; repeat it with the same idempotency key to learn its result',
  )

export function createWaiters(env: Env, partitions: number): Waiters {
  const waiters: Waiter[][] = Array.from({ length: partitions }, () => [])
  const reached = new Array<number>(partitions).fill(0)
  /** Per partition, by position: a writer may begin to wait only after the decision was made. */
  const decisions: Map<number, Decision>[] = Array.from({ length: partitions }, () => new Map())
  let ended: unknown
  let timer: { cancel(): void } | undefined

  /** One timer checks all waiters once a second, because a timer for each write would be too expensive. */
  function watch(): void {
    timer ??= env.timer(CHECK_MS, () => {
      timer = undefined
      const overdueMs = env.monotonicMs() - DEADLINE_MS
      for (const list of waiters) {
        const overdue = list.filter((waiter) => waiter.sinceMs < overdueMs)
        if (overdue.length > 0) list.splice(0, list.length, ...list.filter((one) => !overdue.includes(one)))
        for (const waiter of overdue) waiter.reject(delayed())
      }
      if (waiters.some((list) => list.length > 0)) watch()
    })
  }

  return {
    projected(partition, position) {
      if (position < reached[partition]) return Promise.resolve(decisions[partition].get(position))
      if (ended !== undefined) return Promise.reject(ended)
      watch()
      return new Promise((resolve, reject) =>
        waiters[partition].push({ position, sinceMs: env.monotonicMs(), resolve, reject }),
      )
    },
    decided(partition, position, decision) {
      const kept = decisions[partition]
      kept.set(position, decision)
      if (kept.size <= DECISIONS_KEPT_MAX) return
      for (const oldest of kept.keys()) {
        kept.delete(oldest)
        break
      }
    },
    skip(partition, position) {
      const list = waiters[partition]
      const at = list.findIndex((waiter) => waiter.position === position)
      if (at >= 0) list.splice(at, 1)[0].reject(skipped())
    },
    release(partition, position) {
      if (position > reached[partition]) reached[partition] = position
      const list = waiters[partition]
      let kept = 0
      for (const waiter of list) {
        if (waiter.position < position) waiter.resolve(decisions[partition].get(waiter.position))
        else list[kept++] = waiter
      }
      list.length = kept
    },
    end(error = delayed()) {
      ended ??= error
      timer?.cancel()
      for (const list of waiters) for (const waiter of list.splice(0)) waiter.reject(ended)
    },
  }
}
