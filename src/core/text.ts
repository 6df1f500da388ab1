/** Text as people see it: counted in graphemes, free of NUL and of halves of characters. */

import { RivuletError } from './errors.ts'

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' })
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/
/** A step of the segmenter takes the longer the longer its whole text is. */
const SLICE_UNITS = 512

/**
 * Counts graphemes, but stops at `max + 1`. Slice by slice: whether a grapheme ends somewhere is told by what
 * is before that place and by the one character behind it, so all ends within a slice hold but the last.
 */
export function countGraphemes(text: string, max: number): number {
  if (PRINTABLE_ASCII.test(text)) return Math.min(text.length, max + 1)
  let count = 0
  let units = SLICE_UNITS
  for (let from = 0; from < text.length && count <= max;) {
    const to = wholeCharacterEnd(text, from + units)
    const starts = Array.from(segmenter.segment(text.slice(from, to)), ({ index }) => index)
    if (to >= text.length) return Math.min(count + starts.length, max + 1)
    count += starts.length - 1
    from += starts[starts.length - 1]
    // One grapheme longer than the slice: no end was found yet.
    units = starts.length === 1 ? units * 2 : SLICE_UNITS
  }
  return Math.min(count, max + 1)
}

/** Not in the middle of a surrogate pair. */
function wholeCharacterEnd(text: string, end: number): number {
  const unit = text.charCodeAt(end)
  return unit >= 0xdc00 && unit <= 0xdfff ? end + 1 : end
}

export interface TextRule {
  /** JSON pointer for messages. */
  readonly path: string
  readonly graphemesMax: number
  readonly bytesMax?: number
}

/** Throws `invalid_request` naming the path; gives the text back unchanged. */
export function checkText(text: string, rule: TextRule): string {
  if (text.includes('\0')) throw invalid(rule.path, 'must not contain NUL (U+0000)')
  if (!text.isWellFormed()) throw invalid(rule.path, 'must be well-formed Unicode: it has a lone surrogate')
  if (text.length > rule.graphemesMax && countGraphemes(text, rule.graphemesMax) > rule.graphemesMax) {
    throw invalid(rule.path, `must have at most ${rule.graphemesMax} characters, as people count them`)
  }
  if (
    rule.bytesMax !== undefined &&
    text.length * 3 > rule.bytesMax &&
    Buffer.byteLength(text) > rule.bytesMax
  ) {
    throw invalid(rule.path, `must have at most ${rule.bytesMax} bytes of UTF-8`)
  }
  return text
}

export const invalid = (path: string, message: string): RivuletError =>
  new RivuletError('invalid_request', `${path === '' ? 'the body' : path} ${message}`, {
    errors: [{ path, message }],
  })
