/**
 * The elements of a JSON array, one after the other, wherever its lines end: a file of millions of posts is never
 * in memory as a whole. Only where elements begin and end is looked at here; what they are, the parser says.
 */

import { isUtf8 } from 'node:buffer'
import { RivuletError } from '../../core/errors.ts'
import { RECORD_BYTES_MAX } from './lines.ts'

export interface ElementSink {
  /** `line` is where it begins. */
  element(text: string, line: number): void
  /** Left out, and why. */
  fault(line: number, what: string): void
}

export interface ArrayReader {
  take(bytes: Buffer): void
  /** Throws `import_invalid` when the array did not end. */
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

/** Blank in JSON. */
export const isJsonBlank = (byte: number): boolean =>
  byte === 0x20 || byte === LINE_END || byte === 0x0d || byte === 0x09

type Phase = 'before' | 'inside' | 'after'

/** Throws `import_invalid` for what stands around the array. */
export function createArrayReader(file: string, sink: ElementSink): ArrayReader {
  let phase: Phase = 'before'
  let line = 1
  let depth = 0
  let inString = false
  let isEscaped = false
  /** An element is expected: there was a comma before. */
  let afterComma = false
  /** Line of the element that is being read; 0 for none. */
  let begunAt = 0
  let held: Buffer[] = []
  let heldBytes = 0

  const invalid = (at: number, what: string) => new RivuletError('import_invalid', `${file}:${at}: ${what}`)

  function hold(bytes: Buffer): void {
    heldBytes += bytes.length
    if (heldBytes <= RECORD_BYTES_MAX) held.push(bytes)
    else held = []
  }

  function endElement(isLast: boolean): void {
    if (begunAt > 0) {
      const bytes = Buffer.concat(held)
      if (heldBytes > RECORD_BYTES_MAX) sink.fault(begunAt, `longer than ${RECORD_BYTES_MAX} bytes`)
      else if (!isUtf8(bytes)) sink.fault(begunAt, 'bytes that are not UTF-8')
      else sink.element(bytes.toString(), begunAt)
    } else if (!isLast || afterComma) sink.fault(line, 'no element at a comma')
    ;[begunAt, held, heldBytes] = [0, [], 0]
    afterComma = !isLast
    if (isLast) phase = 'after'
  }

  /** A byte of the element that is being read. */
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
    if (phase === 'after') throw invalid(line, 'something stands behind the end of the array')
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
          if (begunAt > 0) hold(bytes.subarray(from, i))
          endElement(byte === CLOSE_BRACKET)
        } else {
          if (begunAt === 0) [begunAt, from] = [line, i]
          step(byte)
          if (byte === LINE_END) line++
        }
      }
      if (begunAt > 0) hold(bytes.subarray(from))
    },
    end() {
      if (phase === 'after') return
      const how = 'the file is cut off, or a quote or a bracket is missing'
      if (begunAt > 0) throw invalid(begunAt, `the element that begins here does not end: ${how}`)
      throw invalid(line, `the array does not end: ${how}`)
    },
  }
}
