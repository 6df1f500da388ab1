/** Text as people see it: counted in graphemes, free of NUL and of halves of characters. */

import { RivuletError } from './errors.ts'

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/** Counts graphemes, but stops at `max + 1`: long input costs no more than that. */
export function countGraphemes(text: string, max: number): number {
  if (text.length <= max && /^[\x20-\x7e]*$/.test(text)) return text.length
  let count = 0
  for (const _ of segmenter.segment(text)) if (++count > max) break
  return count
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
