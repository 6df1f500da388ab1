/**
 * When each account was last seen, to the minute: kept in memory and saved every minute. Where several processes
 * serve, each tells the others by an event whom it has seen; the process that reacts to the event saves it. A crash
 * loses at most what was not saved yet, so at worst a timeline is rebuilt that could have been kept.
 */

import type { EngineContext } from '../engine/context.ts'
import { scanAll } from '../engine/rows/scan.ts'
import { createMinutes } from './activity/minutes.ts'
import { createMinuteSaver } from './activity/saving.ts'
import { createSeenTeller } from './activity/telling.ts'
import { activityTable } from './tables.ts'

const FLUSH_INTERVAL_MS = 60_000
const MINUTE_MS = 60_000
const TELL_INTERVAL_MS = 5_000
/** Other processes are told of an account again only so long after the last time. */
const TELL_EVERY_MINUTES = 60

export const minuteOf = (timeMs: number): number => Math.floor(timeMs / MINUTE_MS)

export interface Activity {
  /** The account did something now, through this process. */
  touch(number: number): void
  /** An event says that these accounts were seen in that minute, by whichever process. */
  saw(numbers: ArrayLike<number>, minute: number): void
  /** This process is the one that saves the minutes of these accounts. */
  keep(numbers: ArrayLike<number>): void
  /** Minute in which the account was last seen; 0 when nothing is known. */
  minuteOf(number: number): number
  minuteAgo(ageMs: number): number
  /** Accounts seen in that minute or later, the latest first. */
  seenSince(minute: number): Uint32Array
  load(): Promise<void>
  flush(): Promise<void>
  stop(): Promise<void>
}

export function createActivity(context: EngineContext): Activity {
  const { env, store, ids, isShared } = context
  const minutes = createMinutes()
  const saver = createMinuteSaver(env, store, ids, minutes)
  const timers = new Map<() => Promise<void>, { cancel(): void }>()
  let isStopped = false

  /** Never goes back within a process, even if the clock does: the lanes of a fan-out rely on it. */
  let latestMs = 0
  const nowMs = () => (latestMs = Math.max(latestMs, env.wallMs()))
  const teller = createSeenTeller(context, () => minuteOf(nowMs()))

  function every(intervalMs: number, task: () => Promise<void>): void {
    if (isStopped) return
    timers.set(
      task,
      env.timer(intervalMs, () => void task().then(() => every(intervalMs, task))),
    )
  }

  return {
    touch(number) {
      const minute = minuteOf(nowMs())
      const before = minutes.of(number)
      if (before >= minute) return
      if (!isShared) saver.changed(number)
      else if (before + TELL_EVERY_MINUTES > minute) return
      else teller.add(number)
      minutes.set(number, minute)
    },
    saw(numbers, minute) {
      for (let i = 0; i < numbers.length; i++) {
        // A past minute is recorded as the current one: a fan-out under way has decided about lanes by the minutes of
        // the past, and must not find another one there later.
        if (minutes.of(numbers[i]) < minute) minutes.set(numbers[i], Math.max(minute, minuteOf(nowMs())))
      }
    },
    keep(numbers) {
      for (let i = 0; i < numbers.length; i++) saver.changed(numbers[i])
    },
    minuteOf: minutes.of,
    minuteAgo: (ageMs) => minuteOf(nowMs() - ageMs),
    seenSince(minute) {
      const first = Math.max(1, minute)
      return minutes.since(first, Math.max(first, minuteOf(nowMs())))
    },
    async load() {
      for await (const { block, minutes: saved } of scanAll(store, activityTable)) minutes.load(block, saved)
      every(FLUSH_INTERVAL_MS, saver.flush)
      if (isShared) every(TELL_INTERVAL_MS, teller.tell)
    },
    flush: saver.flush,
    async stop() {
      isStopped = true
      for (const timer of timers.values()) timer.cancel()
      await saver.flush()
    },
  }
}

export { ACTIVITY_BLOCK } from './activity/minutes.ts'
