/**
 * The watermark of a LevelDB store. A synced write covers only the write-ahead file it goes to, not an
 * older one whose rows are still on their way into a table. So everything in memory is first flushed into
 * tables, which LevelDB syncs, and only then the watermark is written, synced.
 *
 * LevelDB has no call to flush, but to compact a range it flushes first; a range above all keys makes it
 * do nothing else. It does not report a failed flush there; the synced write that follows fails then.
 */

import { RivuletError } from '../../../core/errors.ts'
import { WATERMARK_KEY } from './codec.ts'
import type { LevelDb } from './open.ts'

export interface Checkpoints {
  write(positions: readonly number[]): Promise<void>
  last(): readonly number[]
}

/** No UTF-8 contains these bytes. */
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
      // One after the other, or an older watermark could end on top.
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
    // not JSON: told below
  }
  throw new RivuletError('data_corrupt', 'the watermark is not a list of positions')
}
