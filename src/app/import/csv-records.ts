/**
 * Records of CSV as RFC 4180 has them, from lines as they come: a cell in quotes may hold separators, doubled quotes
 * and line ends. Beyond that standard, cells without quotes lose the blanks around them, any character may separate
 * cells, and lines may be comments.
 */

import { RivuletError } from '../../core/errors.ts'
import type { LineBatch } from './lines.ts'

/** With quotes; what is longer is no record, but many that a stray quote runs over. */
const RECORD_CHARS_MAX = 1 << 16

export interface CsvFormat {
  /** One character. */
  readonly delimiter: string
  /** What lines begin with that are no records. */
  readonly comment: string | undefined
}

export interface RecordSink {
  /** `line` is where it begins, `last` where it ends. A blank line is one empty cell. */
  record(cells: string[], line: number, last: number): void
  /** Left out, and why. */
  fault(line: number, what: string): void
}

export interface CsvRecords {
  /** Lines `from` to `to` of a batch, all of them where that is not said. */
  take(batch: LineBatch, from?: number, to?: number): void
  /** Throws `import_invalid` when a quote is still open. */
  end(): void
}

/** A record of which not all lines were read, or which has quotes. */
interface OpenRecord {
  readonly line: number
  readonly cells: string[]
  /** The cell in quotes that did not end yet. */
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

  /** Whole records would be swallowed by a quote that should not be there: the file must be mended first. */
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

/** Goes on with a record in its next line. @returns what is wrong with it */
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

/** Spaces and tabs alone: other white space may belong to an id. */
function trimBlanks(cell: string): string {
  let [from, to] = [0, cell.length]
  while (from < to && isBlank(cell.charCodeAt(from))) from++
  while (to > from && isBlank(cell.charCodeAt(to - 1))) to--
  return from === 0 && to === cell.length ? cell : cell.slice(from, to)
}

/** In place: this is done for every row of a file. */
function trimAll(cells: string[]): string[] {
  for (let i = 0; i < cells.length; i++) {
    const cell = cells[i]
    if (isBlank(cell.charCodeAt(0)) || isBlank(cell.charCodeAt(cell.length - 1))) cells[i] = trimBlanks(cell)
  }
  return cells
}
