/** The log and the rows of a single process in one data folder, checked against each other. */

import { RivuletError } from '../core/errors.ts'
import type { Log } from '../ports/log/log.ts'
import { openSegmentLog } from '../ports/log/segments.ts'
import { openLevelStore } from '../ports/store/leveldb.ts'
import type { Store } from '../ports/store/store.ts'
import { createClosers } from './closers.ts'
import { openDataFolder } from './data-folder.ts'
import { importsTable } from './import/tables.ts'
import { createFolderNotes } from './notes.ts'
import type { Durable, OpenPortsOptions } from './ports.ts'

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
    return { log, store, notes, id: id.text, place: folder, figures: [], close: closers.close }
  } catch (error) {
    await closers.close().catch(() => undefined)
    throw error
  }
}

/**
 * Log and store must tell one story: what the store holds is in the log or older than it, and the log begins
 * where the store ends or before. Anything else is half of a backup, and going on would bury it.
 */
export async function assertSamePast(place: string, log: Log, store: Store): Promise<void> {
  const watermark = await store.watermark()
  for (const [partition, { start, end }] of (await log.bounds()).entries()) {
    const projected = watermark[partition] ?? 0
    if (projected > end) {
      throw mismatch(place, `the store holds events up to position ${projected}, but the log ends at ${end}`)
    }
    if (projected < start) {
      throw mismatch(
        place,
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

const mismatch = (place: string, finding: string): RivuletError =>
  new RivuletError(
    'data_corrupt',
    `in ${place}, ${finding}: data is missing, and nothing was changed; restore log and store together, from one backup`,
  )

/** A log that is there keeps its own epoch; what is moved needs a higher one than it had. */
export function assertEpoch(place: string, log: Log, epoch: number): void {
  if (log.epoch >= epoch) return
  const message = `${place} has been used before (its log has epoch ${log.epoch}, what is moved there needs ${epoch}); a move needs a new folder, or a new topic and keyspace (RIVULET_KAFKA_TOPIC, RIVULET_CASSANDRA_KEYSPACE)`
  throw new RivuletError('config_invalid', message)
}
