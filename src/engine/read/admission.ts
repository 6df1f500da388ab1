/**
 * Admission of expensive reads: each has a cost, and only so much of it is worked on at a time, the oldest first. So
 * however many come at once, each that is begun goes on at full speed and ends, instead of all of them ending late.
 * What runs in the background is begun only while nobody waits. Several tasks are begun in the same moment: what they
 * do at once should be short, or take turns (pace.ts).
 */

import { RivuletError } from '../../core/errors.ts'
import type { Env } from '../../ports/env/env.ts'

export interface AdmissionOptions {
  readonly env: Env
  /** Tasks run together as long as their costs add up to no more; a larger one runs alone. */
  readonly costMax: number
  /** Above so many that wait, others are refused. */
  readonly waitingMax: number
}

export interface Admission {
  /**
   * Runs a task when its turn has come. Rejects as the task does, or with `overloaded` when too many wait.
   * @param sinceMs when the work that it is a part of began: the oldest goes first
   */
  run<T>(cost: number, sinceMs: number, task: () => Promise<T>): Promise<T>
  /** The same, behind all that `run` is asked for. Never refused: its callers keep to a few at a time. */
  runInBackground<T>(cost: number, task: () => Promise<T>): Promise<T>
  /** About how long it takes until all that waits now is done: what a caller who is put off is told. */
  backlogMs(): number
  readonly waiting: number
  /** By how much the costs of what is worked on now add up. */
  readonly running: number
}

interface Waiting {
  readonly cost: number
  readonly sinceMs: number
  readonly start: () => void
}

/** How much the newest task counts for the rate at which work is done. */
const RATE_WEIGHT = 0.05

export function createAdmission({ env, costMax, waitingMax }: AdmissionOptions): Admission {
  /** In the order of their ages. */
  const waiting: Waiting[] = []
  const background: Waiting[] = []
  let running = 0
  let waitingCost = 0
  /** Of one unit, with as many at a time as there are; 0 while nothing is known. */
  let msACost = 0

  const fits = (cost: number) => running === 0 || running + cost <= costMax

  function pump(): void {
    for (let next = takeNext(); next !== undefined; next = takeNext()) {
      running += next.cost
      next.start()
    }
  }

  /** What fits, of those that come first. */
  function takeNext(): Waiting | undefined {
    const list = waiting.length > 0 ? waiting : background
    if (list.length === 0 || !fits(list[0].cost)) return undefined
    const next = list.shift() as Waiting
    if (list === waiting) waitingCost -= next.cost
    return next
  }

  function enqueue<T>(list: Waiting[], cost: number, sinceMs: number, task: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const start = () => {
        const startMs = env.monotonicMs()
        const share = running
        const run = async () => task()
        run()
          .then(resolve, reject)
          .finally(() => {
            const ms = (env.monotonicMs() - startMs) / share
            msACost = msACost === 0 ? ms : msACost + (ms - msACost) * RATE_WEIGHT
            running -= cost
            pump()
          })
      }
      let at = list.length
      while (at > 0 && list[at - 1].sinceMs > sinceMs) at--
      list.splice(at, 0, { cost, sinceMs, start })
      pump()
    })
  }

  return {
    run(cost, sinceMs, task) {
      if (waiting.length >= waitingMax) {
        const message = 'too many readers wait for what must be read anew'
        return Promise.reject(
          new RivuletError('overloaded', message, { retryAfterMs: waitingCost * msACost }),
        )
      }
      waitingCost += cost
      return enqueue(waiting, cost, sinceMs, task)
    },
    runInBackground: (cost, task) => enqueue(background, cost, 0, task),
    backlogMs: () => (waitingCost + running) * msACost,
    get waiting() {
      return waiting.length
    },
    get running() {
      return running
    },
  }
}
