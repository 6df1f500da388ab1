/** When a worker saves how far it is: now and then while there is something to save, and after many events. */

import type { Env } from '../../ports/env/env.ts'

export interface CheckpointOptions {
  readonly env: Env
  readonly everyMs: number
  /** @returns whether there is still something that could not be saved yet */
  readonly save: () => Promise<boolean>
  readonly onError: (error: unknown) => void
}

export interface Checkpoints {
  start(): void
  /** There is something to save: these events, or records that are none, or retention would overtake them. */
  ahead(events: number): void
  /** So many events have come that it should not wait any longer. */
  readonly isDue: boolean
  /** For how long there has been something that is in no checkpoint yet; 0 when there is nothing. */
  unsavedMs(): number
  /** One after the other. */
  save(): Promise<void>
  /** The last one, where there is something to save. */
  stop(): Promise<void>
}

const EVENTS = 500_000

export function createCheckpoints({ env, everyMs, save, onError }: CheckpointOptions): Checkpoints {
  /** Since when there has been something that no checkpoint holds, nor one that is being made. */
  let aheadSinceMs: number | undefined
  /** The same of what the checkpoint that is being made is to hold. */
  let savingSinceMs: number | undefined
  let events = 0
  let saving: Promise<void> = Promise.resolve()
  let timer: { cancel(): void } | undefined
  let isStopped = false

  async function saveNow(): Promise<void> {
    events = 0
    savingSinceMs = aheadSinceMs
    aheadSinceMs = undefined
    const isLeft = await save()
    if (isLeft) aheadSinceMs = savingSinceMs ?? aheadSinceMs ?? env.monotonicMs()
    savingSinceMs = undefined
  }

  function inTurn(): Promise<void> {
    saving = saving.then(saveNow)
    return saving
  }

  function schedule(): void {
    timer = env.timer(everyMs, () => {
      const due = aheadSinceMs !== undefined ? inTurn() : Promise.resolve()
      due.then(() => !isStopped && schedule(), onError)
    })
  }

  return {
    start: schedule,
    ahead(more) {
      aheadSinceMs ??= env.monotonicMs()
      events += more
    },
    get isDue() {
      return events >= EVENTS
    },
    unsavedMs() {
      const sinceMs = savingSinceMs ?? aheadSinceMs
      return sinceMs === undefined ? 0 : env.monotonicMs() - sinceMs
    },
    save: inTurn,
    async stop() {
      isStopped = true
      timer?.cancel()
      if (aheadSinceMs !== undefined) await inTurn()
    },
  }
}
