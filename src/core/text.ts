/**
 * Text as people see it: counted in graphemes, free of NUL and of halves of characters, and with something in it
 * that shows. Texts that programs compare (ids, references) are counted in code points instead, as JSON Schema
 * does: each takes at most four bytes, so that a limit on them is a limit on bytes, too.
 */

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

/**
 * What leaves no mark on a screen by itself, by the properties that Unicode gives: white space; control and format
 * characters, among them zero-width and bidirectional ones; marks that need a letter to stand on; what renderers
 * are to ignore, among it variation selectors, tags and the Hangul fillers; and what will never be a character.
 * The four at the end are blanks that Unicode has as symbols and letters: of Braille, music and Egyptian writing.
 */
const INVISIBLE = String.raw`\p{White_Space}\p{Cc}\p{Cf}\p{M}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u2800\u{1d159}\u{13441}\u{13442}`
const VISIBLE = new RegExp(`[^${INVISIBLE}]`, 'u')

/** Nothing in the text can be seen; the empty text is such a one. */
export const isInvisible = (text: string): boolean => !VISIBLE.test(text)

/**
 * The same as ranges of a character class, `\u0000-\u0020\u007f-…`, that every dialect of regular expressions reads.
 * Of the basic plane alone: those beyond it (tags, a few marks and blanks) cannot be written in all of them.
 */
export function invisibleRanges(): string {
  const [low, high] = [0xd800, 0xe000]
  const plane = String.fromCharCode(
    ...Array.from({ length: 0x10000 - (high - low) }, (_, i) => (i < low ? i : i + high - low)),
  )
  const hex = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
  const runs = plane.match(new RegExp(`[${INVISIBLE}]+`, 'gu')) ?? []
  return runs
    .map((run) => (run.length === 1 ? hex(run) : `${hex(run[0])}-${hex(run[run.length - 1])}`))
    .join('')
}

/** Whether the text has more Unicode code points than `max`; looks at no more of it than that takes. */
export function hasMoreCodePoints(text: string, max: number): boolean {
  if (text.length <= max) return false
  if (text.length > 2 * max) return true
  return Array.from(text).length > max
}

export interface TextLimits {
  /** Characters as people count them. */
  readonly graphemesMax?: number
  /** Characters as Unicode counts them. */
  readonly codePointsMax?: number
  readonly bytesMax?: number
}

export interface TextRule extends TextLimits {
  /** JSON pointer for messages. */
  readonly path: string
}

/** What is wrong with a text, for files with many of them; `undefined` for nothing. */
export function textFault(text: string, limits: TextLimits): string | undefined {
  const { graphemesMax = Infinity, codePointsMax = Infinity, bytesMax = Infinity } = limits
  if (text.includes('\0')) return 'must not contain NUL (U+0000)'
  if (!text.isWellFormed()) return 'must be well-formed Unicode: it has a lone surrogate'
  if (text.length > graphemesMax && countGraphemes(text, graphemesMax) > graphemesMax)
    return `must have at most ${graphemesMax} characters, as people count them`
  if (hasMoreCodePoints(text, codePointsMax))
    return `must have at most ${codePointsMax} characters (Unicode code points)`
  if (text.length * 3 > bytesMax && Buffer.byteLength(text) > bytesMax)
    return `must have at most ${bytesMax} bytes of UTF-8`
  return undefined
}

/** Throws `invalid_request` naming the path; gives the text back unchanged. */
export function checkText(text: string, rule: TextRule): string {
  const fault = textFault(text, rule)
  if (fault !== undefined) throw invalid(rule.path, fault)
  return text
}

export const invalid = (path: string, message: string): RivuletError =>
  new RivuletError('invalid_request', `${path === '' ? 'the body' : path} ${message}`, {
    errors: [{ path, message }],
  })
