/** Deadlines of many short tasks, with one timer for all: a task that ends in time costs two set operations. */

import { RivuletError } from '../../core/errors.ts'
import type { Env } from './env.ts'

export interface Deadlines {
  /** Calls `late` with an error unless `end` is called before the deadline, or up to a quarter of it later. */
  watch(late: (error: RivuletError) => void): { end(): void }
  /** Settles as the task does, or rejects when the task is late. */
  limit<T>(task: Promise<T>): Promise<T>
}

const lateBy = (deadlineMs: number) => new RivuletError('unavailable', `no answer within ${deadlineMs} ms`)

interface Watched {
  readonly atMs: number
  readonly late: (error: RivuletError) => void
}

/** So many late tasks share one error: where very many are late at once, making one for each would take too long. */
const LATE_TOLD_ALIKE = 32

/** @param error makes the error for a late task; default: `unavailable` */
export function createDeadlines(
  env: Env,
  deadlineMs: number,
  error: () => RivuletError = () => lateBy(deadlineMs),
): Deadlines {
  /** In the order of their deadlines. */
  const watching = new Set<Watched>()
  let isArmed = false

  function arm(): void {
    isArmed = true
    env.timer(deadlineMs / 4, () => {
      const nowMs = env.monotonicMs()
      let late = 0
      let reason: RivuletError | undefined
      for (const watched of watching) {
        if (watched.atMs > nowMs) break
        watching.delete(watched)
        if (late++ % LATE_TOLD_ALIKE === 0) reason = error()
        watched.late(reason as RivuletError)
      }
      isArmed = false
      if (watching.size > 0) arm()
    })
  }

  function watch(late: Watched['late']) {
    const watched = { atMs: env.monotonicMs() + deadlineMs, late }
    watching.add(watched)
    if (!isArmed) arm()
    return { end: () => void watching.delete(watched) }
  }

  return {
    watch,
    limit: (task) =>
      new Promise((resolve, reject) => {
        const watched = watch(reject)
        task.then(
          (value) => {
            watched.end()
            resolve(value)
          },
          (reason: unknown) => {
            watched.end()
            reject(reason)
          },
        )
      }),
  }
}

/** Settles as the task does, or rejects after the time with the error that `late` makes. Each call has a timer of its own. */
export function within<T>(
  env: Env,
  timeoutMs: number,
  task: Promise<T>,
  late: () => Error = () => lateBy(timeoutMs),
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = env.timer(timeoutMs, () => reject(late()))
    task.then(resolve, reject).finally(() => timer.cancel())
  })
}
