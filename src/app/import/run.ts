/**
 * Begins and ends an import. It runs on a folder that no other process uses, after everything in the log has been
 * projected, and writes rows straight to the store. In the log, one event that changes nothing stands for it. Its
 * position is the version of all imported rows: above all earlier rows, below all later events. Its id is the id of all
 * imported follows.
 *
 * An import is idempotent, so an interrupted one is run again: accounts and posts are claimed before they are written,
 * and follows are united with those that exist.
 */

import { noTimelines, saveHighestId } from '../../engine/horizon/highest-id.ts'
import { homeView, pastTable } from '../../feed/index.ts'
import { graphEvents } from '../../graph/index.ts'
import { createRivulet, type Rivulet, type RivuletPorts } from '../rivulet.ts'
import { rowVersion, type Store } from '../../ports/store/store.ts'
import { importsTable } from './tables.ts'

export interface ImportRun {
  readonly store: Store
  readonly version: number
  /** The id of the import's event, and of every follow of the import; above all ids before it. */
  readonly id: number
  readonly startedAtMs: number
  nextId(): number
  /** The next dense account number. */
  nextNumber(): Promise<number>
  /** Marks the import as complete and makes everything durable. */
  finish(): Promise<void>
}

/** No account has the number 0, so an event that changes it changes nothing. */
const NOBODY = { number: 0, handle: undefined, displayName: undefined, bio: undefined }
/** An import seals no cursors. */
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
  // Written first: `after` cursors from before the import must be answered with `gap`, since the past changes.
  await store.write([...(await nextPast(store, version)), journal(false)])
  // Timelines that a process left behind lack the import, even one that breaks off: they must not be taken over.
  await saveHighestId(store, rivulet.engine.ids, new Map([[homeView.name, noTimelines(views.lanes)]]))
  return {
    store,
    version,
    id,
    startedAtMs,
    nextId: () => rivulet.engine.ids.next(),
    nextNumber: () => rivulet.graph.accounts.nextNumber(),
    async finish() {
      await store.write([journal(true)])
      await saveHighestId(store, rivulet.engine.ids, new Map([[homeView.name, noTimelines(views.lanes)]]))
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

/** The name as a sort key, which must be short ASCII. */
const sortable = (name: string): string => encodeURIComponent(name).slice(-64)

/** The names of imports that were begun and not completed. */
export async function unfinishedImports(store: Store): Promise<string[]> {
  const { partition } = importsTable.key('')
  const [rows] = await store.range([{ table: importsTable, partition, from: '', limit: 1_000 }])
  return rows.map((row) => importsTable.decode(row)).flatMap((row) => (row.finished ? [] : [row.name]))
}
