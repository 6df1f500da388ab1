/** Which text is visible, and what counts as one character. */

import { describe, expect, test } from 'vitest'
import { checkText, hasMoreCodePoints, isInvisible } from '../../src/core/text.ts'
import { isRivuletError } from '../../src/core/errors.ts'

const INVISIBLE: [string, string][] = [
  ['nothing', ''],
  ['spaces and line ends', ' \t\r\n\v\f\u0085\u2028\u2029'],
  ['spaces of all widths', '\u00a0\u1680\u2000\u2003\u2009\u200a\u202f\u205f\u3000'],
  ['control characters', '\u0001\u001b\u007f\u009f'],
  ['zero-width space and joiners', '\u200b\u200c\u200d\u2060'],
  ['byte order mark', '\ufeff'],
  ['bidirectional marks', '\u200e\u200f\u061c\u202a\u202e\u2066\u2069'],
  ['soft hyphen', '\u00ad'],
  ['invisible operators', '\u2061\u2062\u2063\u2064'],
  ['deprecated format characters', '\u206a\u206f'],
  ['Hangul fillers', '\u115f\u1160\u3164\uffa0'],
  ['Khmer inherent vowels', '\u17b4\u17b5'],
  ['Mongolian separators', '\u180b\u180e\u180f'],
  ['combining grapheme joiner', '\u034f'],
  ['blank of Braille', '\u2800'],
  ['variation selectors', '\ufe00\ufe0f\u{e0100}\u{e01ef}'],
  ['tags', '\u{e0001}\u{e0020}\u{e007f}'],
  ['marks without a letter', '\u0301\u0300\u20dd\u0903'],
  ['interlinear annotations', '\ufff9\ufffb'],
  ['shorthand and musical controls', '\u{1bca0}\u{1d173}\u{1d17a}'],
  ['a note without a head', '\u{1d159}'],
  ['Egyptian blanks', '\u{13441}\u{13442}\u{13430}'],
  ['what will never be a character', '\uffff\ufffe\ufdd0\u{10ffff}'],
  ['code points kept for what is ignored', '\u{e0fff}\u2065'],
  ['all of it', ' \u200b\u3164\u2800\ufe0f\u0301\n'],
]

test.each(INVISIBLE)('cannot be seen: %s', (_name, text) => {
  for (const character of text) expect([character, isInvisible(character)]).toEqual([character, true])
  expect(isInvisible(text)).toBe(true)
  expect(isInvisible(`${text}x${text}`)).toBe(false)
})

test.each([
  'x',
  '.',
  '0',
  'e\u0301',
  'ｱ',
  '한',
  'ㅤ한',
  'ク\u200b',
  '👍',
  '👍🏽',
  '👨‍👩‍👧‍👦',
  '🇩🇪',
  '1️⃣',
  '🏴\u{e0067}\u{e007f}',
  '⠁',
  '\ufffd',
  '\ue000',
  'क्',
])('can be seen: %s', (text) => expect(isInvisible(text)).toBe(false))

describe('code points', () => {
  test.each<[string, number, boolean]>([
    ['', 0, false],
    ['abc', 3, false],
    ['abcd', 3, true],
    ['👋'.repeat(128), 128, false],
    ['👋'.repeat(129), 128, true],
    [`${'👋'.repeat(127)}ab`, 128, true],
    ['x'.repeat(1_000_000), 128, true],
  ])('%#', (text, max, expected) => expect(hasMoreCodePoints(text, max)).toBe(expected))

  test('are a limit of their own', () => {
    const rule = { path: '/id', codePointsMax: 4 }
    expect(checkText('👋👋👋👋', rule)).toBe('👋👋👋👋')
    for (const text of ['👋👋👋👋👋', 'e\u0301e\u0301e'])
      expect(
        isRivuletError(
          caught(() => checkText(text, rule)),
          'invalid_request',
        ),
      ).toBe(true)
  })
})

function caught(task: () => unknown): unknown {
  try {
    return task()
  } catch (error) {
    return error
  }
}
