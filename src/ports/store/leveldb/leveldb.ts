/**
 * The embedded store, on LevelDB: for one process on one machine, with nothing to install. It takes in half a million
 * sorted rows a second and returns hundreds of thousands. Only one process can use it, and damage inside a table file is
 * noticed only where it breaks the file's structure.
 *
 * Writes are not synced; `checkpoint` makes everything before it durable.
 */

import type { RivuletError } from '../../../core/errors.ts'
import type { Env } from '../../env/env.ts'
import { checked } from '../checks.ts'
import { createCheckpoints } from './checkpoint.ts'
import { createGuard, toFailure } from './guard.ts'
import { createLevelInserter } from './inserter.ts'
import { type LevelDb, type LevelTuning, openLevelDb } from './open.ts'
import { readKeys, readPage, readRanges } from './reader.ts'
import { startSweep } from './sweep.ts'
import { createLevelWriter } from './writer.ts'
import type { Store } from '../store.ts'

export interface LevelStoreOptions {
  readonly env: Env
  readonly folder: string
  /** Called once, when the disk fails or the data prove to be damaged. The process should end. */
  readonly onFatal: (error: RivuletError) => void
  /** Receives a sentence for the operator when damaged write-ahead files were cut at the opening. */
  readonly onNotice?: (text: string) => void
  readonly tuning?: LevelTuning
}

export async function openLevelStore(options: LevelStoreOptions): Promise<Store> {
  const { env, folder, onFatal, onNotice, tuning } = options
  const db = await openLevelDb(folder, tuning, onNotice)
  const { writer, checkpoints } = await readOwnKeys(db, folder)
  const guard = createGuard({ folder, onFatal })
  const inserter = createLevelInserter(db)
  const sweep = startSweep({ env, db, writer, guard })
  return checked({
    get: (keys) => guard.run(() => readKeys(db, keys, env.wallMs())),
    range: (ranges) => guard.run(() => readRanges(db, ranges, env.wallMs())),
    write: (rows) => guard.run(() => writer.write(rows)),
    insertIfAbsent: (rows) => guard.run(() => inserter.insert(rows)),
    scan: (table, after, limit) => guard.run(() => readPage(db, table, after, limit, env.wallMs())),
    checkpoint(positions) {
      return guard.run(async () => {
        await writer.exclusive(async () => {})
        await checkpoints.write(positions)
      })
    },
    watermark: () => guard.run(async () => checkpoints.last()),
    async close() {
      sweep.stop()
      await guard.close()
      await db.close()
    },
  })
}

async function readOwnKeys(db: LevelDb, folder: string) {
  try {
    return { writer: await createLevelWriter(db), checkpoints: await createCheckpoints(db) }
  } catch (error) {
    await db.close()
    throw toFailure(folder, error)
  }
}
