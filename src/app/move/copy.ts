/**
 * Copies the rows of one store into another unchanged: value, version and expiry. Copying again changes nothing. Now
 * and then it notes its progress in the target, and an interrupted copy continues from there.
 */

import type { RowKey, ScannedRow, Store, Table } from '../../ports/store/store.ts'
import type { Progress } from '../import/progress.ts'
import { movesTable } from '../ports/half-moved.ts'

export interface Copy {
  readonly from: Store
  readonly to: Store
  /** Identifies the source: a copy that was begun from another source is not continued. */
  readonly source: string
  readonly tables: readonly Table[]
  readonly progress: Progress
}

const PAGE_ROWS = 200
/** Bytes of one write: engines limit how much one write to a partition may hold. */
const WRITE_BYTES_MAX = 2 ** 20
const NOTE_EVERY_PAGES = 50

/** How far a copy has come: the last copied row of a table, and the number of rows so far. */
interface Place {
  readonly table: string
  readonly after: RowKey | undefined
  readonly rows: number
}

export async function copyRows(copy: Copy): Promise<number> {
  const total = await countRows(copy)
  const journal = createJournal(copy)
  const begun = await journal.read()
  const tick = copy.progress('moving rows')
  let rows = begun?.rows ?? 0
  let isReached = begun === undefined
  for (const table of copy.tables) {
    if (!isReached && table.name !== begun?.table) continue
    let after = isReached ? undefined : begun?.after
    isReached = true
    for (let pages = 1; ; pages++) {
      const page = await copy.from.scan(table, after, PAGE_ROWS)
      await writePage(copy.to, table, page)
      rows += page.length
      tick(rows, total)
      if (page.length === 0) break
      after = page[page.length - 1]
      if (pages % NOTE_EVERY_PAGES === 0) await journal.write({ table: table.name, after, rows })
    }
    await journal.write({ table: table.name, after, rows })
  }
  return rows
}

async function countRows({ from, tables, progress }: Copy): Promise<number> {
  const tick = progress('counting')
  let rows = 0
  for (const [index, table] of tables.entries()) {
    for await (const page of pagesOf(from, table)) rows += page.length
    tick(index + 1, tables.length)
  }
  return rows
}

export async function* pagesOf(store: Store, table: Table): AsyncGenerator<readonly ScannedRow[]> {
  let after: RowKey | undefined
  for (;;) {
    const page = await store.scan(table, after, PAGE_ROWS)
    if (page.length === 0) return
    yield page
    after = page[page.length - 1]
  }
}

async function writePage(to: Store, table: Table, page: readonly ScannedRow[]): Promise<void> {
  for (const rows of inPieces(page)) {
    if (table.kind === 'once') await to.insertIfAbsent(rows)
    else await to.write(rows)
  }
}

function* inPieces(page: readonly ScannedRow[]): Generator<readonly ScannedRow[]> {
  let piece: ScannedRow[] = []
  let bytes = 0
  for (const row of page) {
    if (piece.length > 0 && bytes + row.value.length > WRITE_BYTES_MAX) {
      yield piece
      piece = []
      bytes = 0
    }
    piece.push(row)
    bytes += row.value.length
  }
  if (piece.length > 0) yield piece
}

function createJournal({ from: _, to, source, tables }: Copy) {
  let version = 0
  const order = tables.map(({ name }) => name).join(' ')
  return {
    async read(): Promise<Place | undefined> {
      const [row] = await to.get([movesTable.key()])
      if (row === undefined) return undefined
      version = row.version
      const { table: name, partition, sort, rows, from, order: before } = movesTable.decode(row)
      const table = tables.find((one) => one.name === name)
      // Another version copied in another order: tables before this one may be missing. Copying again changes nothing.
      if (from !== source || before !== order || table === undefined) return undefined
      return { table: name, rows, after: partition === '' ? undefined : { table, partition, sort } }
    },
    async write({ table, after, rows }: Place): Promise<void> {
      const place = { partition: after?.partition ?? '', sort: after?.sort ?? '' }
      version++
      const value = { from: source, table, ...place, rows, done: false, order }
      await to.write([movesTable.row(movesTable.key(), version, value)])
    },
  }
}
