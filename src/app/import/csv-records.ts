/**
 * Parses CSV records (RFC 4180) from batches of lines: a quoted cell may hold separators, doubled quotes and line ends.
 * Beyond the standard, blanks around cells are removed, any character may separate cells, and lines may be comments.
 */

import { RivuletError } from '../../core/errors.ts'
import type { LineBatch } from './lines.ts'

/** Of a record with quotes: a longer one is taken for many records that a stray quote swallowed. */
const RECORD_CHARS_MAX = 1 << 16

export interface CsvFormat {
  /** One character. */
  readonly delimiter: string
  /** Lines that begin with this text are comments. */
  readonly comment: string | undefined
}

export interface RecordSink {
  /** A record from `line` to `last`. A blank line gives one empty cell. */
  record(cells: string[], line: number, last: number): void
  /** The record at `line` is left out; `what` is the reason. */
  fault(line: number, what: string): void
}

export interface CsvRecords {
  /** Takes the lines `from` to `to` of a batch; all of them by default. */
  take(batch: LineBatch, from?: number, to?: number): void
  /** The file has ended. Throws `import_invalid` when a quote is still open. */
  end(): void
}

/** A record with quotes, which may go on in the next line. */
interface OpenRecord {
  readonly line: number
  readonly cells: string[]
  /** The text of a quoted cell that has not ended yet. */
  quoted: string | undefined
  chars: number
  fault: string | undefined
}

export function createCsvRecords(
  file: string,
  { delimiter, comment }: CsvFormat,
  sink: RecordSink,
): CsvRecords {
  let open: OpenRecord | undefined

  /** A stray quote would swallow whole records, so the file must be mended first. */
  const unclosed = (line: number, how: string) =>
    new RivuletError('import_invalid', `${file}:${line}: the quote that opens in this line ${how}`)

  function takeQuoted(text: string, line: number, fault: string | undefined): void {
    const record = (open ??= { line, cells: [], quoted: undefined, chars: 0, fault: undefined })
    record.fault ??= fault
    record.chars += text.length + 1
    if (record.chars > RECORD_CHARS_MAX)
      throw unclosed(record.line, `does not close within ${RECORD_CHARS_MAX} characters`)
    const wrong = readLine(record, text, delimiter)
    if (wrong !== undefined && line > record.line)
      throw unclosed(record.line, `closes in line ${line} only, with ${wrong} there`)
    if (wrong === undefined && record.quoted !== undefined) return
    open = undefined
    const what = record.fault ?? wrong
    if (what === undefined) sink.record(record.cells, record.line, line)
    else sink.fault(record.line, what)
  }

  return {
    take({ first, lines, faults }, from = 0, to = lines.length) {
      const end = Math.min(to, lines.length)
      for (let i = from; i < end; i++) {
        const text = lines[i]
        const line = first + i
        if (comment !== undefined && open === undefined && text.startsWith(comment)) continue
        const fault = faults.size > 0 ? faults.get(i) : undefined
        if (open !== undefined || text.includes('"')) takeQuoted(text, line, fault)
        else if (fault !== undefined) sink.fault(line, fault)
        else sink.record(trimAll(text.split(delimiter)), line, line)
      }
    },
    end() {
      if (open !== undefined) throw unclosed(open.line, 'does not close before the file ends')
    },
  }
}

/** Continues a record with its next line. @returns what is wrong with the record; `undefined` if nothing is */
function readLine(record: OpenRecord, line: string, delimiter: string): string | undefined {
  for (let at = 0; ;) {
    if (record.quoted === undefined) {
      const start = skipBlanks(line, at, delimiter)
      if (line[start] !== '"') {
        const found = line.indexOf(delimiter, at)
        const end = found < 0 ? line.length : found
        const cell = line.slice(at, end)
        if (cell.includes('"')) return 'a quote inside a cell that is not in quotes'
        record.cells.push(trimBlanks(cell))
        if (found < 0) return undefined
        at = end + 1
        continue
      }
      record.quoted = ''
      at = start + 1
    }
    const quote = line.indexOf('"', at)
    if (quote < 0) {
      record.quoted += `${line.slice(at)}\n`
      return undefined
    }
    record.quoted += line.slice(at, quote)
    if (line[quote + 1] === '"') {
      record.quoted += '"'
      at = quote + 2
      continue
    }
    record.cells.push(record.quoted)
    record.quoted = undefined
    const next = skipBlanks(line, quote + 1, delimiter)
    if (next === line.length) return undefined
    if (line[next] !== delimiter) return 'text behind a closing quote'
    at = next + 1
  }
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09

function skipBlanks(line: string, from: number, delimiter: string): number {
  let at = from
  while (at < line.length && isBlank(line.charCodeAt(at)) && line[at] !== delimiter) at++
  return at
}

/** Removes spaces and tabs only: other white space may belong to an id. */
function trimBlanks(cell: string): string {
  let [from, to] = [0, cell.length]
  while (from < to && isBlank(cell.charCodeAt(from))) from++
  while (to > from && isBlank(cell.charCodeAt(to - 1))) to--
  return from === 0 && to === cell.length ? cell : cell.slice(from, to)
}

/** Trims in place, because this runs for every row of a file. */
function trimAll(cells: string[]): string[] {
  for (let i = 0; i < cells.length; i++) {
    const cell = cells[i]
    if (isBlank(cell.charCodeAt(0)) || isBlank(cell.charCodeAt(cell.length - 1))) cells[i] = trimBlanks(cell)
  }
  return cells
}
