/** Finds the layout of an edge list: the separator, whether there is a header, and which two columns to read. */

import { isRivuletError, RivuletError } from '../../core/errors.ts'
import { createCsvRecords, type RecordSink } from './csv-records.ts'
import { judgeFirstRow, quote, type Pair } from './header.ts'
import type { LineBatch } from './lines.ts'

export type Header = 'auto' | 'yes' | 'no'

/** Columns by their names in the header or, with `header: 'no'`, by their numbers from 1. */
export interface EdgeColumns {
  readonly follower: string
  readonly followee: string
}

export interface EdgeFormat {
  /** One character; detected if not given. */
  readonly delimiter?: string | undefined
  readonly header: Header
  /** Without them, rows must have two cells. */
  readonly columns?: EdgeColumns | undefined
  /** Lines that begin with this text are comments. */
  readonly comment?: string | undefined
}

export interface Layout {
  readonly delimiter: string
  /** Cells in every row. */
  readonly width: number
  /** Indexes of the two cells to read. */
  readonly follower: number
  readonly followee: number
  /** The header row and its line, if there is one. */
  readonly header: { readonly cells: readonly string[]; readonly line: number } | undefined
}

interface Row {
  readonly cells: readonly string[]
  readonly line: number
}

const SAMPLE_ROWS = 10_000
const SLICE_LINES = 1_000
const DELIMITERS = [',', ';', '\t', '|'] as const
const DELIMITER_NAMES: Readonly<Record<string, string>> = {
  ',': 'comma',
  ';': 'semicolon',
  '\t': 'tab',
  '|': 'pipe',
  ' ': 'space',
}
export const delimiterName = (delimiter: string): string => DELIMITER_NAMES[delimiter] ?? quote(delimiter)

/** `comma`, `tab` and so on, or one character that can separate cells; `undefined` for anything else. */
export function delimiterOf(text: string): string | undefined {
  const named = Object.entries(DELIMITER_NAMES).find(([, name]) => name === text)
  if (named !== undefined) return named[0]
  return /^[^\p{L}\p{N}"\r\n]$/u.test(text) && text.length === 1 ? text : undefined
}

/**
 * Detects the layout from the first rows.
 * @returns `undefined` when there are no rows; throws `import_invalid` if no layout fits, or more than one
 */
export function findLayout(batch: LineBatch, format: EdgeFormat, notice: (text: string) => void) {
  const { file, first, lines } = batch
  if (first === 1 && lines.length === 1 && /\r[^\r]/.test(lines[0]))
    throw invalidAt(file, 1, 'lines end with CR alone; convert them: tr "\\r" "\\n"')
  const delimiter = format.delimiter ?? findDelimiter(batch, format)
  if (delimiter === undefined) return undefined
  const rows = sampleOf(batch, delimiter, format.comment)
  if (rows.length === 0) return undefined
  const { columns, header } = format
  if (columns !== undefined)
    return header === 'no'
      ? byNumber(file, rows, delimiter, columns)
      : byName(file, rows[0], delimiter, columns)
  return pairs(file, rows, delimiter, header, notice)
}

/** The first rows that can be read, without blank ones. */
function sampleOf(batch: LineBatch, delimiter: string, comment: string | undefined): Row[] {
  const rows: Row[] = []
  const sink: RecordSink = {
    record: (cells, line) => void (isBlankRow(cells) || rows.push({ cells, line })),
    fault: () => undefined,
  }
  const records = createCsvRecords(batch.file, { delimiter, comment }, sink)
  try {
    for (let from = 0; from < batch.lines.length && rows.length < SAMPLE_ROWS; from += SLICE_LINES)
      records.take(batch, from, from + SLICE_LINES)
  } catch (error) {
    // A quote that is wrong with this delimiter. If the delimiter is the right one, reading the rows reports it.
    if (!isRivuletError(error, 'import_invalid')) throw error
  }
  return rows
}

export const isBlankRow = (cells: readonly string[]): boolean => cells.length === 1 && cells[0] === ''

/** The delimiter with which most rows have the right number of cells. */
function findDelimiter(batch: LineBatch, format: EdgeFormat): string | undefined {
  const { file } = batch
  const samples = DELIMITERS.map((delimiter) => sampleOf(batch, delimiter, format.comment))
  const longest = Math.max(...samples.map(({ length }) => length))
  if (longest === 0) return undefined
  const scores = samples.map((rows) => scoreOf(rows, format))
  const best = Math.max(...scores)
  const found = DELIMITERS.filter((_, i) => scores[i] === best)
  if (best > 0 && found.length === 1) return found[0]
  const [row] = samples.find(({ length }) => length === longest) ?? []
  const say = 'name it with --delimiter'
  if (best === 0) assertQuotesClose(batch, format.comment)
  if (best > 0) {
    const names = found.map(delimiterName).join(' or ')
    throw invalidAt(file, row.line, `the rows can be separated by ${names}; ${say}`)
  }
  if (format.columns !== undefined) throw noSuchColumns(file, row, format.columns)
  const wide = samples.findIndex((rows) => rows.some(({ cells }) => cells.length > 2))
  if (wide >= 0) throw notTwo(file, samples[wide][0], DELIMITERS[wide])
  const tried = DELIMITERS.map(delimiterName).join(', ')
  const none = `no row has two cells with any of ${tried} as the separator`
  const shown = quote(row.cells.join(' '))
  throw invalidAt(file, row.line, `${none} (the first row is ${shown}); ${say}, such as --delimiter space`)
}

/** Throws if a quote stays open, which would explain why no rows were found: it swallows them. */
function assertQuotesClose(batch: LineBatch, comment: string | undefined): void {
  const sink: RecordSink = { record: () => undefined, fault: () => undefined }
  for (const delimiter of DELIMITERS) {
    const records = createCsvRecords(batch.file, { delimiter, comment }, sink)
    records.take(batch)
    records.end()
  }
}

function scoreOf(rows: readonly Row[], { columns, header }: EdgeFormat): number {
  if (columns === undefined) return rows.filter(({ cells }) => cells.length === 2).length
  const [first] = rows
  if (first === undefined || first.cells.length < 2) return 0
  const isThere = header === 'no' ? () => true : (name: string) => first.cells.includes(name)
  if (!isThere(columns.follower) || !isThere(columns.followee)) return 0
  return rows.filter(({ cells }) => cells.length === first.cells.length).length
}

/** The layout of rows with two cells, whose first row may be a header. */
function pairs(
  file: string,
  rows: readonly Row[],
  delimiter: string,
  header: Header,
  notice: (text: string) => void,
): Layout {
  const mark = /^(#|%|\/\/)/.exec(rows[0].cells[0])
  if (header === 'auto' && mark !== null) {
    const how = `use --comment ${quote(mark[0])} if it is a comment, --no-header if it is an edge`
    throw invalidAt(file, rows[0].line, `the line begins like a comment; ${how}`)
  }
  // A title in a single cell is a bad row, and the row after it may be the header.
  const isPair = ({ cells }: Row) => cells.length === 2 && cells[0] !== '' && cells[1] !== ''
  const row = (header === 'yes' ? undefined : rows.find(isPair)) ?? rows[0]
  if (row.cells.length !== 2) throw notTwo(file, row, delimiter)
  const layout = { delimiter, width: 2, follower: 0, followee: 1, header: undefined }
  if (header === 'no') return layout
  const { line } = row
  const [first, ...rest] = rows.flatMap(({ cells, line }) =>
    cells.length === 2 && line >= row.line ? [[cells[0], cells[1]] as Pair] : [],
  )
  const shown = `${quote(first[0])}, ${quote(first[1])}`
  const verdict = judgeFirstRow(first, rest)
  if (verdict.kind === 'header') {
    const { follower, followee } = verdict
    if (header === 'auto' || follower === 1)
      notice(
        `${file}:${line}: taken for a header: follower is ${quote(first[follower])}, followee ${quote(first[followee])}; --no-header makes it an edge`,
      )
    return { ...layout, follower, followee, header: row }
  }
  if (header === 'yes') return { ...layout, header: row }
  if (verdict.kind === 'unclear') {
    throw invalidAt(
      file,
      line,
      `cannot tell whether the first row (${shown}) is a header or an edge: ${verdict.why}; use --header or --no-header, or name the columns with --columns follower=NAME,followee=NAME`,
    )
  }
  if (verdict.isPlain) notice(`${file}:${line}: taken for an edge (${shown}); --header makes it a header`)
  return layout
}

function byName(file: string, header: Row, delimiter: string, columns: EdgeColumns): Layout {
  const { cells } = header
  const placeOf = (name: string) => {
    const place = cells.indexOf(name)
    if (place < 0) throw noSuchColumns(file, header, columns)
    if (cells.includes(name, place + 1))
      throw invalidAt(file, header.line, `two columns have the name ${quote(name)}; rename one in the file`)
    return place
  }
  const [follower, followee] = [placeOf(columns.follower), placeOf(columns.followee)]
  return { delimiter, width: cells.length, follower, followee, header }
}

function byNumber(file: string, [row]: readonly Row[], delimiter: string, columns: EdgeColumns): Layout {
  const width = row.cells.length
  const placeOf = (text: string) => {
    const number = /^[1-9][0-9]{0,3}$/.test(text) ? Number(text) : Number.NaN
    if (number <= width) return number - 1
    throw invalidAt(
      file,
      row.line,
      `${quote(text)} is not a column: with --no-header, --columns takes numbers from 1 to ${width}`,
    )
  }
  const [follower, followee] = [placeOf(columns.follower), placeOf(columns.followee)]
  return { delimiter, width, follower, followee, header: undefined }
}

const noSuchColumns = (file: string, { cells, line }: Row, { follower, followee }: EdgeColumns) =>
  invalidAt(
    file,
    line,
    `the first row does not have the columns ${quote(follower)} and ${quote(followee)}; its columns are ${cells.slice(0, 20).map(quote).join(', ')}`,
  )

function notTwo(file: string, { cells, line }: Row, delimiter: string): RivuletError {
  const shown = cells.slice(0, 20).map(quote).join(', ')
  const what = `separated by ${delimiterName(delimiter)}, the row has ${cells.length} ${cells.length === 1 ? 'cell' : 'cells'} (${shown})`
  const how =
    cells.length > 2
      ? 'name the two columns to read with --columns follower=NAME,followee=NAME (with --no-header, numbers in place of names)'
      : 'name the separator with --delimiter'
  return invalidAt(file, line, `${what}; ${how}`)
}

const invalidAt = (file: string, line: number, message: string): RivuletError =>
  new RivuletError('import_invalid', `${file}:${line}: ${message}`)
