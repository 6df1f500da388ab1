/** Reads edge lists, with two external ids per row, into compact columns of name indexes and line numbers. */

import { basename } from 'node:path'
import { externalIdFault } from '../../graph/index.ts'
import { createCsvRecords, type CsvRecords, type RecordSink } from './csv-records.ts'
import { isBlankRow, type Layout } from './edge-layout.ts'
import { quote } from './header.ts'
import { readLines, type LineBatch } from './lines.ts'
import type { Names } from './names.ts'
import { U32List } from './numbers-list.ts'
import { nothingTaken, type Place, type Problems } from './problems.ts'

/** Rows as indexes into `Names`. */
export interface EdgeRows {
  readonly from: Uint32Array
  readonly to: Uint32Array
  placeOf(row: number): Place
}

export interface EdgeReading {
  readonly names: Names
  readonly problems: Problems
  readonly notice: (text: string) => void
  readonly progress: (bytesRead: number, bytesTotal: number) => void
}

export interface EdgeFiles {
  readonly paths: readonly string[]
  /** Lines that begin with this text are comments. */
  readonly comment?: string | undefined
  /** Finds the layout from the first lines of a file; `undefined` when there is no row among them. */
  layoutOf(batch: LineBatch, notice: (text: string) => void): Layout | undefined
  /** A file without rows is not an error. */
  readonly mayBeEmpty: boolean
}

type AddRow = (from: number, to: number, line: number) => void

/** Throws `import_invalid` for a file that cannot be read, or has no valid row. */
export async function readEdgeRows(files: EdgeFiles, reading: EdgeReading): Promise<EdgeRows> {
  const [from, to, lines] = [new U32List(), new U32List(), new U32List()]
  const starts: { file: string; firstRow: number }[] = []
  const addRow: AddRow = (one, other, line) => {
    from.push(one)
    to.push(other)
    lines.push(line)
  }
  for (const path of files.paths) {
    const file = basename(path)
    const firstRow = from.length
    starts.push({ file, firstRow })
    await readFile(path, files, reading, addRow)
    const isNothing = from.length === firstRow
    if (isNothing && !(files.mayBeEmpty && reading.problems.firstOf(file) === undefined))
      throw nothingTaken(file, 'edge', reading.problems)
  }
  const fileOf = (row: number) => starts.findLast(({ firstRow }) => firstRow <= row)?.file ?? ''
  return {
    from: from.view(),
    to: to.view(),
    placeOf: (row) => ({ file: fileOf(row), line: lines.view()[row] }),
  }
}

async function readFile(path: string, files: EdgeFiles, reading: EdgeReading, addRow: AddRow): Promise<void> {
  const { comment, layoutOf } = files
  let records: CsvRecords | undefined
  for await (const batch of readLines(path)) {
    const { file } = batch
    if (records === undefined) {
      const layout = layoutOf(batch, reading.notice)
      const sink = sinkOf(file, layout ?? NO_ROWS, reading, addRow)
      const begun = createCsvRecords(file, { delimiter: (layout ?? NO_ROWS).delimiter, comment }, sink)
      begun.take(batch)
      if (layout === undefined) begun.end()
      else records = begun
    } else records.take(batch)
    reading.progress(batch.bytesRead, batch.bytesTotal)
  }
  records?.end()
}

/** The layout for lines without a row: all are blank, comments, or unreadable. */
const NO_ROWS: Layout = { delimiter: ',', width: 2, follower: 0, followee: 1, header: undefined }

function sinkOf(file: string, layout: Layout, { names, problems }: EdgeReading, addRow: AddRow): RecordSink {
  const { width, follower, followee, header } = layout
  const headerLine = header?.line
  const isHeader = (cells: readonly string[]) => header?.cells.every((cell, i) => cell === cells[i]) === true

  function takeOther(cells: readonly string[], line: number, last: number): void {
    const place = { file, line }
    if (isBlankRow(cells)) return problems.note(place, 'blank line')
    const span = last > line ? `, with line ends in quotes up to line ${last}` : ''
    if (cells.length !== width)
      return problems.add(place, 'wrong number of columns', `${cells.length} instead of ${width}${span}`)
    if (isHeader(cells)) return problems.add(place, 'the header once more')
    const [from, to] = [cells[follower], cells[followee]]
    // Both ids are checked before either becomes an account.
    const bad = newNameProblem(from, names) ?? newNameProblem(to, names)
    if (bad !== undefined) return problems.add(place, 'not an external id', bad + span)
    if (from === to) return problems.add(place, 'self-loop', `${quote(from)} follows itself`)
    addRow(names.find(from) ?? names.add(from), names.find(to) ?? names.add(to), line)
  }
  return {
    record(cells, line, last) {
      if (line === headerLine) return
      // The fast path: in most rows, both names are known already.
      if (cells.length === width && cells[follower] !== cells[followee]) {
        const from = names.find(cells[follower])
        const to = from === undefined ? undefined : names.find(cells[followee])
        if (from !== undefined && to !== undefined) return addRow(from, to, line)
      }
      takeOther(cells, line, last)
    },
    fault: (line, what) => problems.add({ file, line }, what),
  }
}

const newNameProblem = (name: string, names: Names): string | undefined =>
  names.find(name) === undefined ? externalIdFault(name) : undefined
