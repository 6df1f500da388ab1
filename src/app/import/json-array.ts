/**
 * Cuts a JSON array into the texts of its elements while its bytes stream in, so that a file of millions of posts is
 * never in memory as a whole. It tracks only strings and brackets, to find where an element begins and ends; whether
 * an element is valid JSON is left to the parser.
 */

import { isUtf8 } from 'node:buffer'
import { RivuletError } from '../../core/errors.ts'
import { RECORD_BYTES_MAX } from './lines.ts'

export interface ElementSink {
  /** The JSON text of one element, which begins in `line`. */
  element(text: string, line: number): void
  /** The element at `line` is left out; `what` is the reason. */
  fault(line: number, what: string): void
}

export interface ArrayReader {
  /** Takes the next bytes of the file; an element may be split between two calls. */
  take(bytes: Buffer): void
  /** The file has ended. Throws `import_invalid` when the array has not. */
  end(): void
}

const LINE_END = 0x0a
const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
export const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d

/** White space of JSON. */
export const isJsonBlank = (byte: number): boolean =>
  byte === 0x20 || byte === LINE_END || byte === 0x0d || byte === 0x09

type Phase = 'before' | 'inside' | 'after'

/** The bytes of the element that is being read, which may come in several windows of the file. */
interface HeldElement {
  add(bytes: Buffer): void
  /** Hands the element that began in `line` to the sink. */
  end(line: number): void
}

/** Of an element that is too long, the bytes are counted and no longer kept. */
function createHeldElement(sink: ElementSink): HeldElement {
  let held: Buffer[] = []
  let heldBytes = 0
  return {
    add(bytes) {
      heldBytes += bytes.length
      if (heldBytes <= RECORD_BYTES_MAX) held.push(bytes)
      else held = []
    },
    end(line) {
      const bytes = Buffer.concat(held)
      if (heldBytes > RECORD_BYTES_MAX) sink.fault(line, `longer than ${RECORD_BYTES_MAX} bytes`)
      else if (!isUtf8(bytes)) sink.fault(line, 'bytes that are not UTF-8')
      else sink.element(bytes.toString(), line)
      held = []
      heldBytes = 0
    },
  }
}

/** Throws `import_invalid` for anything but blanks before or behind the array. */
export function createArrayReader(file: string, sink: ElementSink): ArrayReader {
  let phase: Phase = 'before'
  let line = 1
  let depth = 0
  let inString = false
  let isEscaped = false
  /** The last thing read was a comma, so an element must follow. */
  let afterComma = false
  /** Line of the element that is being read; 0 for none. */
  let begunAt = 0
  const held = createHeldElement(sink)

  const invalid = (at: number, what: string) => new RivuletError('import_invalid', `${file}:${at}: ${what}`)

  function endElement(isLast: boolean): void {
    if (begunAt > 0) held.end(begunAt)
    else if (!isLast || afterComma) sink.fault(line, 'no element at a comma')
    begunAt = 0
    afterComma = !isLast
    if (isLast) phase = 'after'
  }

  /** Follows strings and nesting through a byte of the element that is being read. */
  function step(byte: number): void {
    if (inString) {
      if (isEscaped) isEscaped = false
      else if (byte === BACKSLASH) isEscaped = true
      else if (byte === QUOTE) inString = false
    } else if (byte === QUOTE) inString = true
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++
    else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && depth > 0) depth--
  }

  function stepOutside(): void {
    if (phase === 'after') throw invalid(line, 'there is text after the end of the array')
    phase = 'inside'
  }

  return {
    take(bytes) {
      let from = 0
      for (let i = 0; i < bytes.length; i++) {
        const byte = bytes[i]
        if (begunAt === 0 && isJsonBlank(byte)) {
          if (byte === LINE_END) line++
          continue
        }
        if (phase !== 'inside') stepOutside()
        else if (depth === 0 && !inString && (byte === COMMA || byte === CLOSE_BRACKET)) {
          if (begunAt > 0) held.add(bytes.subarray(from, i))
          endElement(byte === CLOSE_BRACKET)
        } else {
          if (begunAt === 0) [begunAt, from] = [line, i]
          step(byte)
          if (byte === LINE_END) line++
        }
      }
      if (begunAt > 0) held.add(bytes.subarray(from))
    },
    end() {
      if (phase === 'after') return
      const how = 'the file is cut off, or a quote or a bracket is missing'
      if (begunAt > 0) throw invalid(begunAt, `the element that begins here does not end: ${how}`)
      throw invalid(line, `the array does not end: ${how}`)
    },
  }
}
