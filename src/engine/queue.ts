/**
 * A bounded queue of background jobs in memory. It holds at most one job per key, and limits how many jobs run at a time
 * and how many begin in a second.
 */

import type { Env } from '../ports/env/env.ts'

export interface QueueOptions<J> {
  readonly env: Env
  readonly run: (job: J) => Promise<void>
  readonly concurrency: number
  readonly jobsMax: number
  readonly jobsPerSecondMax: number
  readonly onError: (error: unknown, job: J) => void
}

export interface Queue<J> {
  /** @returns false, and adds nothing, when the queue is full or a job with this key waits or runs already */
  add(key: string | number, job: J): boolean
  /** Resolves once no job of this key waits or runs; at once when there is none. */
  ended(key: string | number): Promise<void>
  /** Number of jobs that wait or run. */
  readonly size: number
  /** Resolves once no job waits or runs. */
  idle(): Promise<void>
  /** Drops the jobs that wait. Resolves once those that run have ended. */
  stop(): Promise<void>
}

/** A bucket that holds one second's tokens. @returns a function that takes a token, and returns false if there is none */
function createTokens(env: Env, perSecond: number): () => boolean {
  let tokens = perSecond
  let filledAtMs = env.monotonicMs()
  return () => {
    const nowMs = env.monotonicMs()
    tokens = Math.min(perSecond, tokens + ((nowMs - filledAtMs) * perSecond) / 1_000)
    filledAtMs = nowMs
    if (tokens < 1) return false
    tokens--
    return true
  }
}

/** Callbacks that wait for the end of a job, by the job's key. */
function createWatchers() {
  const lists = new Map<string | number, (() => void)[]>()
  return {
    watch(key: string | number, wake: () => void): void {
      const list = lists.get(key)
      if (list === undefined) lists.set(key, [wake])
      else list.push(wake)
    },
    tell(key: string | number): void {
      for (const wake of lists.get(key) ?? []) wake()
      lists.delete(key)
    },
  }
}

export function createQueue<J>(options: QueueOptions<J>): Queue<J> {
  const { env } = options
  const waiting = new Map<string | number, J>()
  const idlers: (() => void)[] = []
  const running = new Set<string | number>()
  const { watch, tell } = createWatchers()
  const takeToken = createTokens(env, options.jobsPerSecondMax)
  let stopped = false
  let timer: { cancel(): void } | undefined

  function pumpLater(): void {
    timer ??= env.timer(Math.ceil(1_000 / options.jobsPerSecondMax), () => {
      timer = undefined
      pump()
    })
  }

  function pump(): void {
    while (!stopped && running.size < options.concurrency && waiting.size > 0) {
      if (!takeToken()) {
        pumpLater()
        return
      }
      const [key, job] = waiting.entries().next().value as [string | number, J]
      waiting.delete(key)
      running.add(key)
      void options
        .run(job)
        .catch((error: unknown) => options.onError(error, job))
        .finally(() => {
          running.delete(key)
          tell(key)
          pump()
          if (isIdle()) for (const wake of idlers.splice(0)) wake()
        })
    }
  }

  const isIdle = () => running.size === 0 && (stopped || waiting.size === 0)

  async function idle(): Promise<void> {
    if (!isIdle()) await new Promise<void>((resolve) => void idlers.push(resolve))
  }

  return {
    add(key, job) {
      if (stopped || waiting.has(key) || running.has(key) || waiting.size >= options.jobsMax) return false
      waiting.set(key, job)
      pump()
      return true
    },
    ended: (key) =>
      waiting.has(key) || running.has(key)
        ? new Promise((resolve) => watch(key, resolve))
        : Promise.resolve(),
    get size() {
      return waiting.size + running.size
    },
    idle,
    async stop() {
      stopped = true
      timer?.cancel()
      const dropped = [...waiting.keys()]
      waiting.clear()
      dropped.forEach(tell)
      await idle()
    },
  }
}
