/**
 * All unsynced writes of a LevelDB store, one LevelDB batch at a time and in the order of the calls. Because of that
 * order, most writes need not read what is stored to make sure that the newest version wins:
 *
 * The writer knows the highest version that each table has seen. A row at or above it can replace whatever is stored, so
 * it goes into the next batch at once (a *blind* write); calls that arrive while a batch is being written share the
 * next one. A call with any row below the highest version is *careful*: it waits for the batches before it, reads the
 * stored versions of those rows, and leaves out rows that are older.
 *
 * Every batch also writes the highest versions of the tables it touches. So whichever batches survive a crash, no
 * surviving row has a version above the highest version that survived.
 */

import type { LevelDb } from './open.ts'
import { createSerialQueue, QueuedTask } from '../serial-queue.ts'
import {
  createValueEncoder,
  expiryKey,
  HIGHEST_VERSIONS,
  highestVersionKey,
  MARKER,
  rowKey,
  tableOfHighestVersionKey,
  type ValueEncoder,
  versionOf,
} from './codec.ts'
import type { RowWrite } from '../store.ts'

export interface LevelWriter {
  /** Atomic as a whole, over partitions too. Callers may reuse the rows once it resolves. */
  write(rows: readonly RowWrite[]): Promise<void>
  /** Runs `task` after every write before it and before every write after it. */
  exclusive(task: () => Promise<void>): Promise<void>
}

/** A batch takes no more calls beyond this, so that none waits for too many others. */
const SHARED_ROWS_MAX = 4_096
const SHARED_BYTES_MAX = 4 * 2 ** 20

type Batch = ReturnType<typeof openBatch>
const openBatch = (db: LevelDb) => db.batch()

interface WriterState {
  readonly db: LevelDb
  readonly highest: Map<string, number>
  readonly encodeValue: ValueEncoder
}

export async function createLevelWriter(db: LevelDb): Promise<LevelWriter> {
  const state: WriterState = {
    db,
    highest: await readHighestVersions(db),
    encodeValue: createValueEncoder(),
  }
  const queue = createSerialQueue()
  return {
    write(rows) {
      if (rows.length === 0) return Promise.resolve()
      const below = raiseHighest(state.highest, rows)
      const Kind = below.length === 0 ? BlindWrite : CarefulWrite
      const last = queue.lastWaiting()
      const task = last instanceof Kind && last.hasRoom ? last : queue.add(new Kind(state))
      task.add(rows, below)
      return task.done
    },
    exclusive: (task) => queue.add(new ExclusiveTask(task)).done,
  }
}

async function readHighestVersions(db: LevelDb): Promise<Map<string, number>> {
  const entries = await db.iterator(HIGHEST_VERSIONS).all()
  return new Map(entries.map(([key, value]) => [tableOfHighestVersionKey(key), Number(value.toString())]))
}

/** @returns the rows below the highest version of their table; earlier rows of the same call count towards it */
function raiseHighest(highest: Map<string, number>, rows: readonly RowWrite[]): RowWrite[] {
  const below: RowWrite[] = []
  let name = ''
  let max = -1
  for (const row of rows) {
    if (row.table.name !== name) {
      name = row.table.name
      max = highest.get(name) ?? -1
    }
    if (row.version < max) below.push(row)
    else if (row.version > max) highest.set(name, (max = row.version))
  }
  return below
}

/** A LevelDB batch that also writes the highest versions of its tables. */
class RowBatch {
  readonly #state: WriterState
  readonly #batch: Batch
  readonly #tables = new Set<string>()
  #lastTable = ''

  constructor(state: WriterState) {
    this.#state = state
    this.#batch = openBatch(state.db)
  }

  put(key: string, row: RowWrite): void {
    this.#batch.put(key, this.#state.encodeValue(row.version, row.value, row.expiresAtMs))
    if (row.expiresAtMs !== undefined) this.#batch.put(expiryKey(row.expiresAtMs, key), MARKER)
    if (row.table.name === this.#lastTable) return
    this.#lastTable = row.table.name
    this.#tables.add(row.table.name)
  }

  write(): Promise<void> {
    for (const table of this.#tables) {
      const highest = this.#state.highest.get(table) ?? 0
      this.#batch.put(highestVersionKey(table), Buffer.from(String(highest)))
    }
    return this.#batch.write()
  }
}

class BlindWrite extends QueuedTask {
  readonly #batch: RowBatch
  #rows = 0
  #bytes = 0

  constructor(state: WriterState) {
    super()
    this.#batch = new RowBatch(state)
  }

  get hasRoom(): boolean {
    return this.#rows < SHARED_ROWS_MAX && this.#bytes < SHARED_BYTES_MAX
  }

  add(rows: readonly RowWrite[]): void {
    for (const row of rows) {
      this.#batch.put(rowKey(row), row)
      this.#bytes += row.value.length
    }
    this.#rows += rows.length
  }

  run(): Promise<void> {
    return this.#batch.write()
  }
}

class CarefulWrite extends QueuedTask {
  readonly #state: WriterState
  readonly #rows: RowWrite[] = []
  readonly #below: RowWrite[] = []

  constructor(state: WriterState) {
    super()
    this.#state = state
  }

  get hasRoom(): boolean {
    return this.#rows.length < SHARED_ROWS_MAX
  }

  add(rows: readonly RowWrite[], below: readonly RowWrite[]): void {
    for (const row of rows) this.#rows.push(row)
    for (const row of below) this.#below.push(row)
  }

  async run(): Promise<void> {
    const newest = await this.#readVersions()
    const batch = new RowBatch(this.#state)
    for (const row of this.#rows) {
      const key = rowKey(row)
      if (row.version < (newest.get(key) ?? 0)) continue
      newest.set(key, row.version)
      batch.put(key, row)
    }
    await batch.write()
  }

  /** Reads the stored versions of the rows that may be older. */
  async #readVersions(): Promise<Map<string, number>> {
    const keys = this.#below.map(rowKey)
    const stored = await this.#state.db.getMany(keys)
    const versions = new Map<string, number>()
    for (const [index, value] of stored.entries()) {
      if (value !== undefined) versions.set(keys[index], versionOf(value))
    }
    return versions
  }
}

class ExclusiveTask extends QueuedTask {
  readonly #task: () => Promise<void>

  constructor(task: () => Promise<void>) {
    super()
    this.#task = task
  }

  run(): Promise<void> {
    return this.#task()
  }
}
