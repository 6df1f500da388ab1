/** A bounded queue of background jobs: one job a key, a few at a time, at most so many a second. */

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
  /** False when the queue is full, or a job with this key waits or runs already. */
  add(key: string | number, job: J): boolean
  /** Resolves once no job of this key waits or runs; at once when there is none. */
  ended(key: string | number): Promise<void>
  readonly size: number
  idle(): Promise<void>
  stop(): Promise<void>
}

export function createQueue<J>(options: QueueOptions<J>): Queue<J> {
  const { env } = options
  const waiting = new Map<string | number, J>()
  const idlers: (() => void)[] = []
  const running = new Set<string | number>()
  const watchers = new Map<string | number, (() => void)[]>()
  let stopped = false
  let tokens = options.jobsPerSecondMax
  let filledAtMs = env.monotonicMs()
  let timer: { cancel(): void } | undefined

  function hasToken(): boolean {
    const nowMs = env.monotonicMs()
    const rate = options.jobsPerSecondMax
    tokens = Math.min(rate, tokens + ((nowMs - filledAtMs) * rate) / 1_000)
    filledAtMs = nowMs
    return tokens >= 1
  }

  function pump(): void {
    while (!stopped && running.size < options.concurrency && waiting.size > 0) {
      if (!hasToken()) {
        timer ??= env.timer(Math.ceil(1_000 / options.jobsPerSecondMax), () => {
          timer = undefined
          pump()
        })
        return
      }
      const [key, job] = waiting.entries().next().value as [string | number, J]
      waiting.delete(key)
      tokens--
      running.add(key)
      void options
        .run(job)
        .catch((error: unknown) => options.onError(error, job))
        .finally(() => {
          running.delete(key)
          tell(key)
          pump()
          if (running.size === 0 && (stopped || waiting.size === 0))
            for (const wake of idlers.splice(0)) wake()
        })
    }
  }

  function tell(key: string | number): void {
    for (const wake of watchers.get(key) ?? []) wake()
    watchers.delete(key)
  }

  const idle = () =>
    running.size === 0 && (stopped || waiting.size === 0)
      ? Promise.resolve()
      : new Promise<void>((resolve) => void idlers.push(resolve))

  return {
    add(key, job) {
      if (stopped || waiting.has(key) || running.has(key) || waiting.size >= options.jobsMax) return false
      waiting.set(key, job)
      pump()
      return true
    },
    ended(key) {
      if (!waiting.has(key) && !running.has(key)) return Promise.resolve()
      return new Promise((resolve) => {
        const list = watchers.get(key)
        if (list === undefined) watchers.set(key, [resolve])
        else list.push(resolve)
      })
    },
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
