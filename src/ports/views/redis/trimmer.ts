/**
 * Shortens timelines that have become full: reads one, keeps its newest entries that stand and puts it back, unless
 * another process was faster. It runs in the background; until it is done, a timeline is only longer than it need be.
 */

import type { Redis } from '../../drivers/redis.ts'
import type { Keys } from './keys.ts'
import { compact, ENTRY_BYTES, HEADER_BYTES, trimBoundsOf } from './layout.ts'
import { REPLACE } from './scripts.ts'
import type { Keep } from '../views.ts'

export interface Trimmer {
  /** Length from which on a timeline is full. */
  readonly fullBytes: number
  /** Does nothing when too many trims are under way: the next insert asks again. */
  trim(owner: number): void
  stop(): void
}

const AT_ONCE_MAX = 16
/** A timeline is replaced only if it still has the bytes that were read at this length before its end. */
const TAIL_BYTES = 2 * ENTRY_BYTES

export function createTrimmer(redis: Redis, keys: Keys, capacity: number, keep: Keep): Trimmer {
  const { left, full } = trimBoundsOf(capacity)
  const fullBytes = HEADER_BYTES + full * ENTRY_BYTES
  const trimming = new Set<number>()
  let isStopped = false

  async function trimNow(owner: number): Promise<void> {
    const key = keys.timeline(owner)
    const timeline = (await redis.send(key, ['GET', key])) as Buffer | null
    if (timeline === null || timeline.length < fullBytes) return
    const [head, tail] = [timeline.subarray(0, 8), timeline.subarray(-TAIL_BYTES)]
    await redis.run(REPLACE, key, [head, String(timeline.length), tail, compact(timeline, keep, left)])
  }

  return {
    fullBytes,
    trim(owner) {
      if (trimming.has(owner) || trimming.size >= AT_ONCE_MAX || isStopped) return
      trimming.add(owner)
      void trimNow(owner)
        .catch(() => undefined) // the next insert asks again
        .finally(() => trimming.delete(owner))
    },
    stop() {
      isStopped = true
    },
  }
}
