/**
 * Moves a deployment from a data folder to engines, or back; neither side is served meanwhile. The source's log is
 * projected to its end and the rows are copied unchanged. The target begins a new log under a higher epoch, so that its
 * events have higher versions than all copied rows. Timelines are not moved: they are rebuilt when they are read.
 */

import { RivuletError } from '../../core/errors.ts'
import { membersTable } from '../../engine/processes/members.ts'
import { nodeSpansTable } from '../../engine/processes/node-lease.ts'
import { createRivulet } from '../rivulet.ts'
import type { Env } from '../../ports/env/env.ts'
import { createMemoryViews } from '../../ports/views/memory/memory.ts'
import { createClosers } from '../closers.ts'
import { assertDataFolder } from '../ports/data-folder.ts'
import type { Progress } from '../import/progress.ts'
import { beatsTable, leasesTable } from '../../engine/processes/lease.ts'
import { notesTable, type Notes } from '../ports/notes.ts'
import { assertNotMoved, MOVED_NOTE, openDurable } from '../ports/open.ts'
import type { Durable, OpenPortsOptions } from '../ports/parts.ts'
import type { Store } from '../../ports/store/store.ts'
import { MIB } from '../config/settings.ts'
import { allTables } from '../ports/tables.ts'
import { copyRows } from './copy.ts'
import { differences } from './compare.ts'
import { movesTable } from '../ports/half-moved.ts'

export interface MoveOptions extends OpenPortsOptions {
  readonly to: 'engines' | 'folder'
  readonly progress: Progress
}

export interface Moved {
  readonly rows: number
  readonly from: string
  readonly to: string
}

const HOUR_MS = 3_600_000
const VIEWS_BYTES = 64 * MIB
const NO_SECRET = new Uint8Array(32)
/** Tables about one place (its leases, members, notes, moves) and not about the deployment: they are not copied. */
const OF_A_PLACE = new Set(
  [movesTable, notesTable, leasesTable, beatsTable, membersTable, nodeSpansTable].map(({ name }) => name),
)
/** Notes that belong to the deployment and move with it. */
const CARRIED_NOTES = ['secret.key', 'server.key', 'demo.json', 'imported.json']

export async function move(options: MoveOptions): Promise<Moved> {
  const { env, to, progress } = options
  const closers = createClosers()
  if (to === 'engines') assertDataFolder(options.config.data)
  try {
    const source = closers.add(await openSide(options, to === 'engines' ? 'folder' : 'engines'))
    await assertNotMoved(source.notes)
    await settle(env, source, options.onFatal)
    const target = closers.add(await openSide(options, to, source.log.epoch + 1))
    const tables = allTables().filter(({ name }) => !OF_A_PLACE.has(name))
    await assertFree(target, source)
    await assertUnused(target)
    const rows = await copyRows({ from: source.store, to: target.store, source: source.id, tables, progress })
    for (const name of CARRIED_NOTES) await carry(source.notes, target.notes, name)
    await target.store.checkpoint((await target.log.bounds()).map(({ end }) => end))
    const stores = [source.store, target.store] as const
    const endsAfterMs = env.wallMs() + HOUR_MS
    const different = await differences({ stores, tables, endsAfterMs, progress })
    if (different.length > 0) throw notAlike(source, target, different)
    await finish(target.store)
    await source.notes.keep(MOVED_NOTE, () => JSON.stringify({ to: target.place, at_ms: env.wallMs() }))
    return { rows, from: source.place, to: target.place }
  } finally {
    await closers.close()
  }
}

function openSide(options: MoveOptions, side: 'engines' | 'folder', epoch?: number): Promise<Durable> {
  const { config } = options
  const nowhere = { kafka: undefined, cassandra: undefined, redis: undefined }
  if (side === 'folder') return openDurable({ ...options, config: { ...config, ...nowhere } }, epoch)
  if (config.kafka !== undefined && config.cassandra !== undefined) return openDurable(options, epoch)
  const message =
    'a move needs both sides: set RIVULET_KAFKA and RIVULET_CASSANDRA, and name the folder with --data'
  throw new RivuletError('config_invalid', message)
}

/** Projects everything in the log and finishes all fan-outs, so that the rows hold everything. */
async function settle(env: Env, { log, store }: Durable, onFatal: (error: unknown) => void): Promise<void> {
  const views = createMemoryViews({ bytesMax: VIEWS_BYTES })
  const rivulet = createRivulet({ env, log, store, views }, { secret: NO_SECRET, onFatal })
  await rivulet.start()
  await rivulet.settle()
  await rivulet.stop()
  await views.close()
}

/** Refuses a target whose log has events of its own. */
async function assertUnused({ log, place }: Durable): Promise<void> {
  const bounds = await log.bounds()
  if (bounds.every(({ start, end }) => start === end)) return
  throw new RivuletError(
    'config_invalid',
    `${place} has been served already: its log holds events; move to a new folder, or to a new topic and keyspace`,
  )
}

/** Marks the move as done: from now on the target may be served. */
async function finish(store: Store): Promise<void> {
  const [row] = await store.get([movesTable.key()])
  if (row === undefined) return
  const value = { ...movesTable.decode(row), done: true }
  await store.write([movesTable.row(movesTable.key(), row.version + 1, value)])
}

/** Refuses a target with rows, unless an interrupted move of this same source wrote them. */
async function assertFree(target: Durable, source: Durable): Promise<void> {
  const [row] = await target.store.get([movesTable.key()])
  if (row !== undefined && movesTable.decode(row).from === source.id) return
  for (const table of allTables()) {
    if (OF_A_PLACE.has(table.name)) continue
    const [some] = await target.store.scan(table, undefined, 1)
    if (some === undefined) continue
    const message = `${target.place} is not empty (it has rows in ${table.name}); a move needs a new folder, or a new topic and keyspace`
    throw new RivuletError('config_invalid', message)
  }
}

async function carry(from: Notes, to: Notes, name: string): Promise<void> {
  const text = await from.read(name)
  if (text === undefined) return
  const kept = await to.keep(name, () => text)
  if (kept.text === text) return
  const message = `${to.placeOf(name)} differs from ${from.placeOf(name)}: the target has been served before; move to a new one`
  throw new RivuletError('config_invalid', message)
}

const notAlike = (source: Durable, target: Durable, different: readonly string[]): RivuletError =>
  new RivuletError(
    'data_corrupt',
    `${source.place} and ${target.place} differ after the move: ${different.join(', ')}; one of them may have been served meanwhile. The first is unchanged: stop whatever serves it, and move again to a new place`,
  )
