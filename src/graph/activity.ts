/**
 * When each account was last seen, in minutes: 4 bytes an account in memory, saved in blocks now and then. Where
 * several processes serve, each tells the others now and then whom it has seen; whoever reacts to that saves it.
 * What a crash loses is only news of a visit; at worst a timeline is rebuilt that could have been kept.
 */

import { idTimeMs } from '../core/ids.ts'
import type { EngineContext } from '../engine/engine.ts'
import { scanAll } from '../engine/rows/scan.ts'
import { seen } from './events.ts'
import { activityTable } from './tables.ts'

const BLOCK_BITS = 10
export const ACTIVITY_BLOCK = 2 ** BLOCK_BITS
const FLUSH_INTERVAL_MS = 60_000
const MINUTE_MS = 60_000
const TELL_INTERVAL_MS = 5_000
/** Others hear of an account again only so long after the last time. */
const TELL_EVERY_MINUTES = 60
const TOLD_AT_ONCE_MAX = 10_000
const TELL_KEY = 0

export const minuteOf = (timeMs: number): number => Math.floor(timeMs / MINUTE_MS)

export interface Activity {
  /** The account did something now. */
  touch(number: number): void
  /** Some were seen in that minute, by whomever. */
  saw(numbers: ArrayLike<number>, minute: number): void
  /** What is known of these is to be saved by this process. */
  keep(numbers: ArrayLike<number>): void
  /** Minute in which it was last seen; 0 when nothing is known. */
  minuteOf(number: number): number
  minuteAgo(ageMs: number): number
  /** Who was seen in that minute or later, the latest first; counted and not sorted, for these may be millions. */
  seenSince(minute: number): Uint32Array
  load(): Promise<void>
  flush(): Promise<void>
  stop(): Promise<void>
}

export function createActivity({ env, store, ids, isShared, tell }: EngineContext): Activity {
  const blocks: (Uint32Array | undefined)[] = []
  const dirty = new Set<number>()
  const untold = new Set<number>()
  let version = 0
  const timers = new Map<() => Promise<void>, { cancel(): void }>()
  let isStopped = false
  const block = (number: number) => (blocks[number >>> BLOCK_BITS] ??= new Uint32Array(ACTIVITY_BLOCK))

  /** Never goes back within a process, whatever the clock does: lanes of a fan-out lean on it. */
  let latestMs = 0
  const nowMs = () => (latestMs = Math.max(latestMs, env.wallMs()))

  const known = (number: number) => blocks[number >>> BLOCK_BITS]?.[number & (ACTIVITY_BLOCK - 1)] ?? 0

  /** A write that fails is tried again with the next one. */
  async function flush(): Promise<void> {
    const due = [...dirty]
    dirty.clear()
    // Ids never go back, whoever saves next.
    version = Math.max(version + 1, env.wallMs(), idTimeMs(ids.fence()))
    const rows = due.map((b) =>
      activityTable.row(activityTable.key(b), version, {
        block: b,
        minutes: blocks[b] ?? new Uint32Array(0),
      }),
    )
    if (rows.length === 0) return
    await store.write(rows).catch(() => due.forEach((b) => dirty.add(b)))
  }

  async function tellOthers(): Promise<void> {
    const numbers: number[] = []
    for (const number of untold) {
      if (numbers.push(number) === TOLD_AT_ONCE_MAX) break
    }
    for (const number of numbers) untold.delete(number)
    if (numbers.length === 0) return
    const body = { minute: minuteOf(nowMs()), numbers: Uint32Array.from(numbers) }
    await tell(seen, TELL_KEY, body).catch(() => numbers.forEach((number) => untold.add(number)))
  }

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
      const minutes = block(number)
      const before = minutes[number % ACTIVITY_BLOCK]
      if (before >= minute) return
      if (!isShared) dirty.add(number >>> BLOCK_BITS)
      else if (before + TELL_EVERY_MINUTES > minute) return
      else untold.add(number)
      minutes[number % ACTIVITY_BLOCK] = minute
    },
    saw(numbers, minute) {
      for (let i = 0; i < numbers.length; i++) {
        const minutes = block(numbers[i])
        const at = numbers[i] % ACTIVITY_BLOCK
        // As of now: a fan-out under way leans on it that nobody was seen in the past.
        if (minutes[at] < minute) minutes[at] = Math.max(minute, minuteOf(nowMs()))
      }
    },
    keep(numbers) {
      for (let i = 0; i < numbers.length; i++) dirty.add(numbers[i] >>> BLOCK_BITS)
    },
    minuteOf: known,
    minuteAgo: (ageMs) => minuteOf(nowMs() - ageMs),
    seenSince(minute) {
      const first = Math.max(1, minute)
      const last = Math.max(first, minuteOf(nowMs()))
      /** At first how many were seen in each minute, later where the next of them goes. */
      const places = new Uint32Array(last - first + 1)
      const eachSeen = (visit: (number: number, place: number) => void) =>
        blocks.forEach((minutes, b) =>
          minutes?.forEach((seenAt, i) => {
            if (seenAt >= first) visit(b * ACTIVITY_BLOCK + i, Math.min(seenAt, last) - first)
          }),
        )
      eachSeen((_, place) => void places[place]++)
      let seen = 0
      for (let place = places.length - 1; place >= 0; place--) {
        const count = places[place]
        places[place] = seen
        seen += count
      }
      const found = new Uint32Array(seen)
      eachSeen((number, place) => void (found[places[place]++] = number))
      return found
    },
    async load() {
      for await (const { block: b, minutes } of scanAll(store, activityTable)) {
        const whole = new Uint32Array(ACTIVITY_BLOCK)
        whole.set(minutes)
        blocks[b] = whole
      }
      every(FLUSH_INTERVAL_MS, flush)
      if (isShared) every(TELL_INTERVAL_MS, tellOthers)
    },
    flush,
    async stop() {
      isStopped = true
      for (const timer of timers.values()) timer.cancel()
      await flush()
    },
  }
}
