/**
 * Removes ended rows for good in the background: a few hundred at a time, between writes, so that no caller has to wait
 * noticeably.
 */

import type { Env } from '../../env/env.ts'
import { areRemainsDue, firstHourNotDue } from '../expiry.ts'
import { expiryOf, expiryRange, rowKeyOfExpiryKey } from './codec.ts'
import type { Guard } from './guard.ts'
import type { LevelDb } from './open.ts'
import type { LevelWriter } from './writer.ts'

const ROUND_EVERY_MS = 60_000
const ROWS_PER_STEP = 256

export interface Sweep {
  /** No step begins after this. The guard waits for a step under way. */
  stop(): void
}

export interface SweepOptions {
  readonly env: Env
  readonly db: LevelDb
  readonly writer: LevelWriter
  readonly guard: Guard
}

export function startSweep(options: SweepOptions): Sweep {
  const { env, guard } = options
  let timer = env.timer(ROUND_EVERY_MS, sweepRound)
  let isStopped = false

  function sweepRound(): void {
    // Errors can be ignored: a failure of the disk has reached `onFatal`, and a refusal only says that the store is closed.
    runRound(options, () => isStopped || !guard.isOpen).then(() => {
      if (!isStopped) timer = env.timer(ROUND_EVERY_MS, sweepRound)
    }, ignore)
  }
  return {
    stop() {
      isStopped = true
      timer.cancel()
    },
  }
}

const ignore = () => {}

async function runRound({ env, db, writer, guard }: SweepOptions, isOver: () => boolean): Promise<void> {
  const nowMs = env.wallMs()
  const { gte, lt } = expiryRange(firstHourNotDue(nowMs))
  let after: string | undefined
  while (!isOver()) {
    const bounds = after === undefined ? { gte, lt } : { gt: after, lt }
    const keys = await guard.run(() => db.keys({ ...bounds, limit: ROWS_PER_STEP }).all())
    if (keys.length === 0) return
    await guard.run(() => writer.exclusive(() => removeEnded(db, keys, nowMs)))
    after = keys.at(-1)
    await env.yield()
  }
}

/** Must run between writes: a row that was written after it was read here would be removed. */
async function removeEnded(db: LevelDb, expiryKeys: string[], nowMs: number): Promise<void> {
  const rowKeys = expiryKeys.map(rowKeyOfExpiryKey)
  const stored = await db.getMany(rowKeys)
  const batch = db.batch()
  for (const [index, value] of stored.entries()) {
    batch.del(expiryKeys[index])
    // A later write may have given the row another end, or taken it away.
    if (value !== undefined && areRemainsDue(expiryOf(value), nowMs)) batch.del(rowKeys[index])
  }
  await batch.write()
}
