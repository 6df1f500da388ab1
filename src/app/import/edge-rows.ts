/** Reads edge lists: two external ids a row, into columns of small numbers that remember their lines. */

import { externalIdProblem, type Names } from './names.ts'
import { isHeader, splitColumns } from './columns.ts'
import { readLines, type LineBatch } from './lines.ts'
import { U32List } from './numbers-list.ts'
import type { Place, Problems } from './problems.ts'

export type Header = 'auto' | 'yes' | 'no'

export interface EdgeFormat {
  readonly separator: string
  readonly header: Header
  /** Columns after the first two are for others. */
  readonly moreColumns: boolean
}

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

export async function readEdgeRows(
  paths: readonly string[],
  format: EdgeFormat,
  reading: EdgeReading,
): Promise<EdgeRows> {
  const [from, to, lines] = [new U32List(), new U32List(), new U32List()]
  const files: { name: string; firstRow: number }[] = []
  const addRow = (one: number, other: number, line: number) => {
    from.push(one)
    to.push(other)
    lines.push(line)
  }
  for (const path of paths) {
    let skipped = 0
    for await (const batch of readLines(path)) {
      if (batch.first === 1) {
        files.push({ name: batch.file, firstRow: from.length })
        skipped = headerLines(batch, format, reading.notice)
      }
      readBatch(batch, batch.first === 1 ? skipped : 0, format, reading, addRow)
      reading.progress(batch.bytesRead, batch.bytesTotal)
    }
  }
  const fileOf = (row: number) => files.findLast(({ firstRow }) => firstRow <= row)?.name ?? ''
  return {
    from: from.view(),
    to: to.view(),
    placeOf: (row) => ({ file: fileOf(row), line: lines.view()[row] }),
  }
}

function headerLines({ file, lines }: LineBatch, format: EdgeFormat, notice: (text: string) => void): number {
  const { header, separator } = format
  if (header === 'no') return 0
  const [first, second] = lines.slice(0, 2).map((line) => splitColumns(line, separator))
  if (header === 'auto' && (first === undefined || !isHeader(first, second))) return 0
  if (header === 'auto') notice(`${file}:1: taken for a header (${lines[0]}); --no-header makes it an edge`)
  return 1
}

function readBatch(
  { file, first, lines }: LineBatch,
  skipped: number,
  { separator, moreColumns }: EdgeFormat,
  { names, problems }: EdgeReading,
  addRow: (from: number, to: number, line: number) => void,
): void {
  for (let i = skipped; i < lines.length; i++) {
    const columns = splitColumns(lines[i], separator)
    // Most rows are two names that were met before.
    if (columns?.length === 2 && columns[0] !== columns[1]) {
      const [from, to] = [names.find(columns[0]), names.find(columns[1])]
      if (from !== undefined && to !== undefined) {
        addRow(from, to, first + i)
        continue
      }
    }
    const problem = columns === undefined ? ['quote left open'] : problemOf(columns, names, moreColumns)
    if (problem !== undefined) problems.add({ file, line: first + i }, problem[0], problem[1])
    else if (columns !== undefined) {
      const [from, to] = columns
      addRow(names.find(from) ?? names.add(from), names.find(to) ?? names.add(to), first + i)
    }
  }
}

/** What is wrong with a row, and more about it. Both ids are looked at before either becomes an account. */
function problemOf(
  columns: readonly string[],
  names: Names,
  moreColumns: boolean,
): [string, string?] | undefined {
  const [from, to] = columns
  if (columns.length === 1 && from === '') return ['blank line']
  if (columns.length < 2 || (columns.length > 2 && !moreColumns)) {
    return ['wrong number of columns', `${columns.length} instead of 2`]
  }
  const bad = newNameProblem(from, names) ?? newNameProblem(to, names)
  if (bad !== undefined) return ['not an external id', bad]
  return from === to ? ['self-loop', `${from} follows itself`] : undefined
}

const newNameProblem = (name: string, names: Names): string | undefined =>
  names.find(name) === undefined ? externalIdProblem(name) : undefined
