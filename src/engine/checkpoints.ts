/** When a worker saves how far it is: now and then while there is something to save, and after many events. */

import type { Env } from '../ports/env/env.ts'

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
  /** One after the other. */
  save(): Promise<void>
  /** The last one, where there is something to save. */
  stop(): Promise<void>
}

const EVENTS = 500_000

export function createCheckpoints({ env, everyMs, save, onError }: CheckpointOptions): Checkpoints {
  let isAhead = false
  let events = 0
  let saving: Promise<void> = Promise.resolve()
  let timer: { cancel(): void } | undefined
  let isStopped = false

  async function saveNow(): Promise<void> {
    events = 0
    isAhead = false
    const isLeft = await save()
    if (isLeft) isAhead = true
  }

  function inTurn(): Promise<void> {
    saving = saving.then(saveNow)
    return saving
  }

  function schedule(): void {
    timer = env.timer(everyMs, () => {
      const due = isAhead ? inTurn() : Promise.resolve()
      due.then(() => !isStopped && schedule(), onError)
    })
  }

  return {
    start: schedule,
    ahead(more) {
      isAhead = true
      events += more
    },
    get isDue() {
      return events >= EVENTS
    },
    save: inTurn,
    async stop() {
      isStopped = true
      timer?.cancel()
      if (isAhead) await inTurn()
    },
  }
}
