/**
 * One import as the engine sees it. It runs on a folder that nobody else uses, after everything in the log
 * has been projected, and writes rows straight to the store. One event that changes nothing stands for it in
 * the log: its position is the version of all rows (above every row before, below every event after), and
 * its id is the time of the follows.
 *
 * Whatever an import does, doing it again changes nothing, so one that was interrupted is simply run again:
 * accounts and posts are claimed before they are written, follows are a union.
 */

import { noTimelines, saveHighestId } from '../../engine/horizon/highest-id.ts'
import { pastTable } from '../../feed/index.ts'
import { graphEvents } from '../../graph/index.ts'
import { createRivulet, type Rivulet, type RivuletPorts } from '../rivulet.ts'
import { rowVersion, type Store } from '../../ports/store/store.ts'
import { importsTable } from './tables.ts'

export interface ImportRun {
  readonly store: Store
  readonly version: number
  /** Id of the import's event: above everything before it, and the id of every follow of this import. */
  readonly id: number
  readonly startedAtMs: number
  nextId(): number
  /** The next dense account number. */
  nextNumber(): Promise<number>
  /** Makes everything durable and says that the import is complete. */
  finish(): Promise<void>
}

/** No account has number 0: an event that changes it changes nothing. */
const NOBODY = { number: 0, handle: undefined, displayName: undefined, bio: undefined }
/** Nothing is sealed here. */
const NO_SECRET = new Uint8Array(32)

export async function beginImport(
  ports: RivuletPorts,
  name: string,
  onFatal: (error: unknown) => void,
): Promise<ImportRun> {
  const { log, store, env, views } = ports
  const startedAtMs = env.wallMs()
  const rivulet = createRivulet(ports, { secret: NO_SECRET, onFatal })
  const { id, position } = await replayAndMark(rivulet)
  const version = rowVersion(log.epoch, position)
  const journal = (finished: boolean) =>
    importsTable.row(importsTable.key(sortable(name)), version, { name, finished, startedAtMs })
  // First of all: whoever read before this import must be told that the past has changed.
  await store.write([...(await nextPast(store, version)), journal(false)])
  // And timelines that outlive this process know nothing of it, whether it ends or breaks off.
  await saveHighestId(store, rivulet.engine.ids, noTimelines(views.lanes))
  return {
    store,
    version,
    id,
    startedAtMs,
    nextId: () => rivulet.engine.ids.next(),
    nextNumber: () => rivulet.graph.accounts.nextNumber(),
    async finish() {
      await store.write([journal(true)])
      await saveHighestId(store, rivulet.engine.ids, noTimelines(views.lanes))
      await store.checkpoint((await log.bounds()).map(({ end }) => end))
    },
  }
}

async function replayAndMark(rivulet: Rivulet): Promise<{ id: number; position: number }> {
  await rivulet.start()
  try {
    await rivulet.settle()
    const event = await rivulet.engine.produce(graphEvents.accountChanged, NOBODY.number, NOBODY)
    await rivulet.settle()
    return event
  } finally {
    await rivulet.stop()
  }
}

async function nextPast(store: Store, version: number) {
  const [row] = await store.get([pastTable.key()])
  const imports = row === undefined ? 0 : pastTable.decode(row).imports
  return [pastTable.row(pastTable.key(), version, { imports: imports + 1 })]
}

/** Sort keys are ASCII and short. */
const sortable = (name: string): string => encodeURIComponent(name).slice(-64)

/** Imports that were begun and did not end. */
export async function unfinishedImports(store: Store): Promise<string[]> {
  const { partition } = importsTable.key('')
  const [rows] = await store.range([{ table: importsTable, partition, from: '', limit: 1_000 }])
  return rows.map((row) => importsTable.decode(row)).flatMap((row) => (row.finished ? [] : [row.name]))
}
