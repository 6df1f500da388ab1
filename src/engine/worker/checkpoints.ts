/**
 * When a worker saves a checkpoint: at regular intervals while there is something to save, and sooner after many events.
 */

import type { Env } from '../../ports/env/env.ts'

export interface CheckpointOptions {
  readonly env: Env
  readonly everyMs: number
  /** @returns whether something is left that could not be saved yet */
  readonly save: () => Promise<boolean>
  readonly onError: (error: unknown) => void
}

export interface Checkpoints {
  start(): void
  /**
   * The worker has moved on and there is something to save. `events` is 0 for records that are no events: they need a
   * checkpoint, too, or retention would delete records above the saved position.
   */
  ahead(events: number): void
  /** So many events have come since the last checkpoint that the caller should save one now. */
  readonly isDue: boolean
  /** How long there has been something that no checkpoint holds; 0 when there is nothing. */
  unsavedMs(): number
  /** Saves a checkpoint, after any that is being saved. */
  save(): Promise<void>
  /** Ends the regular checkpoints, and saves a last one if there is something to save. */
  stop(): Promise<void>
}

const DUE_EVENTS = 500_000

export function createCheckpoints({ env, everyMs, save, onError }: CheckpointOptions): Checkpoints {
  /** Since when there has been something to save that the checkpoint under way, if any, will not hold either. */
  let aheadSinceMs: number | undefined
  /** Since when there has been something to save that the checkpoint under way is to hold. */
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
      return events >= DUE_EVENTS
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
