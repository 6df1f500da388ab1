/** Deadlines of many short tasks behind one timer: a task that is in time pays for two set operations. */

import { RivuletError } from '../../core/errors.ts'
import type { Env } from './env.ts'

export interface Deadlines {
  /** Calls `late` with an error unless it is ended within the deadline, or a quarter more. */
  watch(late: (error: RivuletError) => void): { end(): void }
  /** Settles as the task does, or rejects when that is late. */
  limit<T>(task: Promise<T>): Promise<T>
}

const lateBy = (deadlineMs: number) => new RivuletError('unavailable', `no answer within ${deadlineMs} ms`)

interface Watched {
  readonly atMs: number
  readonly late: (error: RivuletError) => void
}

/** Where very many are late at once, an error for each would hold up everything else. */
const LATE_TOLD_ALIKE = 32

/** @param error what a late task is answered with; `unavailable` unless told otherwise */
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

/** Settles as the task does, or rejects with what `late` makes after the time. For single tasks: each has a timer. */
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
