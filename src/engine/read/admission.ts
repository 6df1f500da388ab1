/**
 * Admission of expensive reads. Each read has a cost, and the total cost of the reads that run at a time is bounded; the
 * others wait, the oldest request first. Under overload a read that has begun thus runs at full speed and ends soon,
 * instead of all of them ending late. Background work begins only while no read waits.
 *
 * Several tasks may begin in the same moment, so the synchronous start of a task should be short, or take turns
 * (`pace.ts`).
 */

import { RivuletError } from '../../core/errors.ts'
import type { Env } from '../../ports/env/env.ts'

export interface AdmissionOptions {
  readonly env: Env
  /** The costs of tasks that run together add up to no more; a task that costs more than this runs alone. */
  readonly costMax: number
  /** When so many tasks wait, `run` refuses further ones. */
  readonly waitingMax: number
}

export interface Admission {
  /**
   * Runs a task when its turn has come. Rejects as the task does, or with `overloaded` when too many tasks wait.
   * @param sinceMs when the request began that the task is a part of: the oldest request goes first
   */
  run<T>(cost: number, sinceMs: number, task: () => Promise<T>): Promise<T>
  /** Like `run`, but behind all tasks of `run`. Never refuses: callers must limit how many they start at a time. */
  runInBackground<T>(cost: number, task: () => Promise<T>): Promise<T>
  /** Estimates how long the waiting and running tasks will take: what a caller is told as the time until a retry. */
  backlogMs(): number
  readonly waiting: number
  /** The total cost of the tasks that are running. */
  readonly running: number
}

interface Waiting {
  readonly cost: number
  readonly sinceMs: number
  readonly start: () => void
}

/** The weight of the newest task in the average `msACost`. */
const RATE_WEIGHT = 0.05

export function createAdmission({ env, costMax, waitingMax }: AdmissionOptions): Admission {
  /** Oldest request first. */
  const waiting: Waiting[] = []
  const background: Waiting[] = []
  let running = 0
  let waitingCost = 0
  /** Moving average: a task's duration by the total cost that was running beside it. 0 until a first task has ended. */
  let msACost = 0

  const fits = (cost: number) => running === 0 || running + cost <= costMax

  function pump(): void {
    for (let next = takeNext(); next !== undefined; next = takeNext()) {
      running += next.cost
      next.start()
    }
  }

  /** The first waiting task, if it fits; a background task only when no other one waits. */
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
        const message = 'too many expensive reads are waiting; retry later'
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
