/**
 * The ports of a single process over one data folder: opened in order, checked against each other, closed
 * in the opposite order, the folder last.
 */

import { RivuletError } from '../core/errors.ts'
import type { Env } from '../ports/env/env.ts'
import type { Log } from '../ports/log/log.ts'
import { openSegmentLog } from '../ports/log/segments.ts'
import { openLevelStore } from '../ports/store/leveldb.ts'
import type { Store } from '../ports/store/store.ts'
import { createMemoryViews } from '../ports/views/memory.ts'
import type { RivuletPorts } from '../index.ts'
import { createClosers } from './closers.ts'
import { openDataFolder, type DataFolder } from './data-folder.ts'
import { importsTable } from './import/tables.ts'
import { MIB, type Config } from './settings.ts'

/** Commands take it from here: only this layer knows adapters. */
export { createRealEnv } from '../ports/env/real.ts'

const HOUR_MS = 3_600_000

export interface OpenPorts extends RivuletPorts {
  readonly data: DataFolder
  close(): Promise<void>
}

export interface OpenPortsOptions {
  readonly env: Env
  readonly config: Pick<Config, 'data' | 'timelinesMib' | 'logRetentionHours'>
  /** The disk failed: nothing that follows can be trusted. */
  readonly onFatal: (error: unknown) => void
  /** What an operator should know, such as a torn tail that was cut. */
  readonly onNotice: (text: string) => void
}

export async function openPorts({ env, config, onFatal, onNotice }: OpenPortsOptions): Promise<OpenPorts> {
  const closers = createClosers()
  try {
    const data = closers.add(await openDataFolder({ folder: config.data, env }))
    const retentionMs = config.logRetentionHours * HOUR_MS
    const logOptions = { env, folder: data.logFolder, retentionMs, onFatal, onNotice }
    const log = closers.add(await openSegmentLog(logOptions))
    const store = closers.add(await openLevelStore({ env, folder: data.storeFolder, onFatal, onNotice }))
    await assertSamePast(data.folder, log, store)
    if (data.hasImports) await assertImportsThere(data.folder, store)
    const views = closers.add(createMemoryViews({ bytesMax: config.timelinesMib * MIB }))
    return { env, data, log, store, views, close: closers.close }
  } catch (error) {
    await closers.close().catch(() => undefined)
    throw error
  }
}

/**
 * Log and store must tell one story: what the store holds is in the log or older than it, and the log begins
 * where the store ends or before. Anything else is half of a backup, and going on would bury it.
 */
export async function assertSamePast(folder: string, log: Log, store: Store): Promise<void> {
  const watermark = await store.watermark()
  for (const [partition, { start, end }] of (await log.bounds()).entries()) {
    const projected = watermark[partition] ?? 0
    if (projected > end) {
      throw mismatch(folder, `the store holds events up to position ${projected}, but the log ends at ${end}`)
    }
    if (projected < start) {
      throw mismatch(
        folder,
        `the log begins at position ${start}, but the store holds only what is below ${projected}`,
      )
    }
  }
}

/** What was imported stands in the store alone: a store that is gone cannot be made again from the log. */
async function assertImportsThere(folder: string, store: Store): Promise<void> {
  const [some] = await store.scan(importsTable, undefined, 1)
  if (some === undefined) throw mismatch(folder, 'rows were imported, but the store holds none of them')
}

const mismatch = (folder: string, finding: string): RivuletError =>
  new RivuletError(
    'data_corrupt',
    `in ${folder}, ${finding}: data is missing, and nothing was changed; restore the folders log and store together, from one backup`,
  )
