/** Reads a text file in batches of lines: UTF-8, with or without byte order mark, Unix or Windows line ends. */

import { isUtf8 } from 'node:buffer'
import { basename } from 'node:path'
import { readWindows } from './bytes.ts'

/** Larger than any valid post, even with all its content in escapes. A longer line is left out as a whole. */
export const RECORD_BYTES_MAX = 4 << 20
const LINE_END = 0x0a
const BYTE_ORDER_MARK = '\ufeff'

export interface LineBatch {
  readonly file: string
  /** Number of the first line. */
  readonly first: number
  readonly lines: readonly string[]
  /** Lines that must be left out, by index into `lines`, and why. */
  readonly faults: ReadonlyMap<number, string>
  /** Bytes read of the file so far. */
  readonly bytesRead: number
  readonly bytesTotal: number
}

export async function* readLines(path: string): AsyncGenerator<LineBatch> {
  const file = basename(path)
  let rest: Buffer = Buffer.alloc(0)
  /** The line that is being read is too long already, and its beginning was dropped. */
  let isCut = false
  let first = 1
  for await (const { bytes, bytesRead, bytesTotal } of readWindows(path)) {
    const isLast = bytes.length === 0
    const whole = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
    const end = isLast ? whole.length : whole.lastIndexOf(LINE_END)
    // No line to give: a window without a line end, or a file that ended with one.
    const isNone = end < 0 || (isLast && whole.length === 0 && !isCut)
    if (!isNone) {
      const batch = splitLines(whole.subarray(0, end), isCut)
      isCut = false
      yield { file, first, ...batch, bytesRead, bytesTotal }
      first += batch.lines.length
    }
    rest = whole.subarray(end + 1)
    if (rest.length > RECORD_BYTES_MAX) {
      rest = Buffer.alloc(0)
      isCut = true
    }
  }
}

/** @param isCut the first line lacks its beginning */
function splitLines(bytes: Buffer, isCut: boolean): Pick<LineBatch, 'lines' | 'faults'> {
  const text = bytes.toString()
  const lines = text.split('\n')
  if (text.includes('\r'))
    for (let i = 0; i < lines.length; i++) if (lines[i].endsWith('\r')) lines[i] = lines[i].slice(0, -1)
  const faults = new Map<number, string>()
  // A byte order mark remains where files were joined; it would become part of an id.
  if (text.includes(BYTE_ORDER_MARK))
    for (let i = 0; i < lines.length; i++)
      if (lines[i].startsWith(BYTE_ORDER_MARK)) faults.set(i, 'a byte order mark inside the file')
  if (!isUtf8(bytes)) {
    let from = 0
    for (let i = 0; i < lines.length; i++) {
      const end = bytes.indexOf(LINE_END, from)
      const to = end < 0 ? bytes.length : end
      if (!isUtf8(bytes.subarray(from, to))) faults.set(i, 'bytes that are not UTF-8')
      from = to + 1
    }
  }
  // Windows are smaller than the limit, so only the first line can exceed it.
  if (isCut || lines[0].length > RECORD_BYTES_MAX || Buffer.byteLength(lines[0]) > RECORD_BYTES_MAX) {
    lines[0] = ''
    faults.set(0, `longer than ${RECORD_BYTES_MAX} bytes`)
  }
  return { lines, faults }
}
