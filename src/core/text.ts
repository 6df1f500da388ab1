/**
 * Checks of text. Text for people is counted in graphemes, the characters that they see, and may not be invisible as a
 * whole. Text that programs compare (ids, references) is counted in code points, as JSON Schema counts: a code point
 * takes at most four bytes, so that a limit on their number limits the bytes, too.
 */

import { RivuletError } from './errors.ts'

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' })
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/
/** The segmenter's time for one step grows with the length of the whole text, so text is cut into slices. */
const SLICE_UNITS = 512

/**
 * Counts graphemes, but stops at `max + 1`. It works slice by slice. Whether a grapheme ends at a place depends on the
 * text before it and the one character after it; so every end found in a slice is right, except the one at its end,
 * where the next slice begins anew with that grapheme.
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
    // The slice has no end of a grapheme inside: take a longer one.
    units = starts.length === 1 ? units * 2 : SLICE_UNITS
  }
  return Math.min(count, max + 1)
}

/** The same end, or one unit later where `end` would split a surrogate pair. */
function wholeCharacterEnd(text: string, end: number): number {
  const unit = text.charCodeAt(end)
  return unit >= 0xdc00 && unit <= 0xdfff ? end + 1 : end
}

/**
 * Characters that show nothing by themselves, by their Unicode properties: white space; control and format characters,
 * zero-width and bidirectional ones among them; combining marks; characters that renderers ignore, such as variation
 * selectors, tags and the Hangul fillers; and noncharacters. The four at the end are blanks that Unicode lists as
 * symbols or letters (Braille, music, Egyptian writing).
 */
const INVISIBLE = String.raw`\p{White_Space}\p{Cc}\p{Cf}\p{M}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u2800\u{1d159}\u{13441}\u{13442}`
const VISIBLE = new RegExp(`[^${INVISIBLE}]`, 'u')

/** True when nothing in the text can be seen, as in the empty text. */
export const isInvisible = (text: string): boolean => !VISIBLE.test(text)

/**
 * The invisible characters as ranges for a character class, `\u0000-\u0020\u007f-…`, in a form that every dialect of
 * regular expressions reads. Only those of the basic plane: some dialects cannot write the others (tags, a few marks
 * and blanks).
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

/** Whether the text has more than `max` Unicode code points, without counting them all in a long text. */
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
  /** A JSON pointer, for messages. */
  readonly path: string
}

/** @returns what is wrong with the text, to follow its name in a message; `undefined` when nothing is */
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

/** Returns the text unchanged, or throws `invalid_request` with the path of the text. */
export function checkText(text: string, rule: TextRule): string {
  const fault = textFault(text, rule)
  if (fault !== undefined) throw invalid(rule.path, fault)
  return text
}

export const invalid = (path: string, message: string): RivuletError =>
  new RivuletError('invalid_request', `${path === '' ? 'the body' : path} ${message}`, {
    errors: [{ path, message }],
  })
