/**
 * The watermark of a LevelDB store. A synced write makes only its own write-ahead file durable, not an older one whose
 * rows are still being moved into a table. So a checkpoint first flushes everything in memory into tables, which
 * LevelDB syncs, and then writes the watermark, synced.
 *
 * LevelDB has no call to flush, but compacting a range flushes first; compacting a range above all keys does nothing
 * else. Such a call does not report a flush that failed, but then the synced write after it fails.
 */

import { RivuletError } from '../../../core/errors.ts'
import { WATERMARK_KEY } from './codec.ts'
import type { LevelDb } from './open.ts'

export interface Checkpoints {
  write(positions: readonly number[]): Promise<void>
  last(): readonly number[]
}

/** Bytes that occur in no UTF-8 text. */
const ABOVE_ALL_KEYS = [Buffer.of(0xff), Buffer.of(0xff, 0xff)] as const

export async function createCheckpoints(db: LevelDb): Promise<Checkpoints> {
  let last = parsePositions(await db.get(WATERMARK_KEY))
  let previous: Promise<void> = Promise.resolve()

  async function flushAndMark(positions: readonly number[]): Promise<void> {
    await db.compactRange<Buffer>(...ABOVE_ALL_KEYS, { keyEncoding: 'buffer' })
    const highest = positions.map((position, partition) => Math.max(position, last[partition] ?? 0))
    await db.put(WATERMARK_KEY, Buffer.from(JSON.stringify(highest)), { sync: true })
    last = highest
  }
  return {
    last: () => last,
    write(positions) {
      const copy = [...positions]
      // One after the other, or an older watermark could overwrite a newer one.
      previous = previous.then(() => flushAndMark(copy))
      return previous
    },
  }
}

function parsePositions(stored: Buffer | undefined): readonly number[] {
  if (stored === undefined) return []
  try {
    const positions: unknown = JSON.parse(stored.toString())
    if (Array.isArray(positions) && positions.every(Number.isFinite)) return positions
  } catch {
    // not JSON: refused below
  }
  throw new RivuletError('data_corrupt', 'the watermark is not a list of positions')
}
