/**
 * When each account was last seen, in minutes: 4 bytes an account in memory, saved in blocks now and then.
 * What a crash loses is only news of a visit; at worst a timeline is rebuilt that could have been kept.
 */

import { scanAll } from '../engine/scan.ts'
import type { Env } from '../ports/env/env.ts'
import type { Store } from '../ports/store/store.ts'
import { activityTable } from './tables.ts'

const BLOCK_BITS = 10
export const ACTIVITY_BLOCK = 2 ** BLOCK_BITS
const FLUSH_INTERVAL_MS = 60_000
const MINUTE_MS = 60_000

export interface Activity {
  /** The account did something now, or at `timeMs`. */
  touch(number: number, timeMs?: number): void
  /** Minute in which it was last seen; 0 when nothing is known. */
  minuteOf(number: number): number
  minuteAgo(ageMs: number): number
  load(): Promise<void>
  flush(): Promise<void>
  stop(): Promise<void>
}

export function createActivity(env: Env, store: Store): Activity {
  const blocks: (Uint32Array | undefined)[] = []
  const dirty = new Set<number>()
  let version = 0
  let timer: { cancel(): void } | undefined
  const block = (number: number) => (blocks[number >>> BLOCK_BITS] ??= new Uint32Array(ACTIVITY_BLOCK))

  /** Never goes back within a process, whatever the clock does: lanes of a fan-out lean on it. */
  let latestMs = 0
  const nowMs = () => (latestMs = Math.max(latestMs, env.wallMs()))

  const minuteOf = (number: number) => blocks[number >>> BLOCK_BITS]?.[number & (ACTIVITY_BLOCK - 1)] ?? 0

  /** A write that fails is tried again with the next one. */
  async function flush(): Promise<void> {
    const due = [...dirty]
    dirty.clear()
    version = Math.max(version + 1, env.wallMs())
    const rows = due.map((b) =>
      activityTable.row(activityTable.key(b), version, {
        block: b,
        minutes: blocks[b] ?? new Uint32Array(0),
      }),
    )
    if (rows.length === 0) return
    await store.write(rows).catch(() => due.forEach((b) => dirty.add(b)))
  }

  function schedule(): void {
    timer = env.timer(FLUSH_INTERVAL_MS, () => void flush().then(schedule))
  }

  return {
    touch(number, timeMs = nowMs()) {
      const minute = Math.floor(timeMs / MINUTE_MS)
      const minutes = block(number)
      if (minutes[number % ACTIVITY_BLOCK] >= minute) return
      minutes[number % ACTIVITY_BLOCK] = minute
      dirty.add(number >>> BLOCK_BITS)
    },
    minuteOf,
    minuteAgo: (ageMs) => Math.floor((nowMs() - ageMs) / MINUTE_MS),
    async load() {
      for await (const { block: b, minutes } of scanAll(store, activityTable)) {
        const whole = new Uint32Array(ACTIVITY_BLOCK)
        whole.set(minutes)
        blocks[b] = whole
      }
      schedule()
    },
    flush,
    async stop() {
      timer?.cancel()
      await flush()
    },
  }
}
