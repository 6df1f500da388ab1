/** Opens the log and the store of a data folder, and checks that they belong together. */

import { openSegmentLog } from '../../ports/log/segments/segments.ts'
import { openLevelStore } from '../../ports/store/leveldb/leveldb.ts'
import type { Store } from '../../ports/store/store.ts'
import { createClosers } from '../closers.ts'
import { openDataFolder } from './data-folder.ts'
import { createFolderSize } from '../folder-size.ts'
import { importsTable } from '../import/tables.ts'
import { createFolderNotes } from './notes.ts'
import type { Durable, Figure, OpenPortsOptions } from './parts.ts'
import { assertEpoch, assertSamePast, mismatch } from './same-past.ts'

const HOUR_MS = 3_600_000

export async function openFolder(
  { env, config, onFatal, onNotice }: OpenPortsOptions,
  epoch?: number,
): Promise<Durable> {
  const closers = createClosers()
  try {
    const data = closers.add(await openDataFolder({ folder: config.data, env }))
    const { folder } = data
    const retentionMs = config.logRetentionHours * HOUR_MS
    const logOptions = { env, folder: data.logFolder, retentionMs, onFatal, onNotice }
    const log = closers.add(await openSegmentLog({ ...logOptions, ...(epoch !== undefined && { epoch }) }))
    if (epoch !== undefined) assertEpoch(folder, log, epoch)
    const store = closers.add(await openLevelStore({ env, folder: data.storeFolder, onFatal, onNotice }))
    await assertSamePast(folder, log, store)
    if (data.hasImports) await assertImportsThere(folder, store)
    const notes = createFolderNotes(folder)
    const id = await notes.keep('deployment.id', () => Buffer.from(env.randomBytes(12)).toString('hex'))
    const figures: readonly Figure[] = [
      {
        name: 'rivulet_log_bytes',
        help: 'Bytes of the log files in the data folder.',
        read: () => log.bytesOnDisk,
      },
      {
        name: 'rivulet_store_bytes',
        help: 'Bytes of the files of the store in the data folder, some seconds ago.',
        read: createFolderSize(env, data.storeFolder),
      },
    ]
    const { timelinesFile } = data
    return { log, store, notes, id: id.text, place: folder, timelinesFile, figures, close: closers.close }
  } catch (error) {
    await closers.close().catch(() => undefined)
    throw error
  }
}

/** Imported rows are in the store alone: if they are gone, the log cannot make them again. */
async function assertImportsThere(folder: string, store: Store): Promise<void> {
  const [some] = await store.scan(importsTable, undefined, 1)
  if (some === undefined) throw mismatch(folder, 'rows were imported, but the store holds none of them')
}
