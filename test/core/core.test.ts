/** The pure parts: ids, keys, codec, text, sorted arrays, cursors. */

import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  bool,
  decode,
  encode,
  f64Array,
  list,
  optional,
  struct,
  text,
  u32,
  u32Array,
  u53,
  u8,
} from '../../src/core/codec.ts'
import { createCursorSeal } from '../../src/core/cursor.ts'
import { RivuletError } from '../../src/core/errors.ts'
import { createHmacSha256, HMAC_MESSAGE_BYTES_MAX } from '../../src/core/hmac.ts'
import {
  createIdSource,
  createImportIds,
  idFloorAt,
  idTimeMs,
  ID_MAX,
  ID_PATTERN,
  parseId,
} from '../../src/core/ids.ts'
import { idKey, idKeyDesc, parseIdKeyDesc, parseKey, u32Key } from '../../src/core/keys.ts'
import { includesSorted, insertSorted, lowerBound, removeSorted } from '../../src/core/sorted.ts'
import { checkText, countGraphemes } from '../../src/core/text.ts'

const codeOf = (task: () => unknown): string | undefined => {
  try {
    task()
    return undefined
  } catch (error) {
    return error instanceof RivuletError ? error.code : String(error)
  }
}

test("an HMAC is the platform's own", () => {
  const bytes = (maxLength: number) => fc.uint8Array({ minLength: 0, maxLength })
  fc.assert(
    fc.property(bytes(200), bytes(HMAC_MESSAGE_BYTES_MAX), (secret, message) => {
      const expected = createHmac('sha256', secret).update(message).digest('base64url')
      expect(createHmacSha256(secret)(message)).toBe(expected)
    }),
  )
})

test('graphemes are counted slice by slice as they are all at once', () => {
  const parts = [
    'a',
    'é',
    'e\u0301',
    '👍🏽',
    '👩‍👩‍👧‍👦',
    '🇩🇪',
    '🇫',
    '\r\n',
    '\r',
    '각',
    'ㄱㅏ',
    'क्षि',
    '\u0301',
    '\u200d',
    '🏽',
    'ا',
    '\u0600',
    ' ',
  ]
  const long = fc.array(fc.tuple(fc.constantFrom(...parts), fc.nat(300)), { maxLength: 12 })
  const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' })
  fc.assert(
    fc.property(long, fc.string({ unit: 'grapheme' }), (runs, more) => {
      const text = runs.map(([part, times]) => part.repeat(times)).join('') + more
      expect(countGraphemes(text, 100_000)).toBe([...segmenter.segment(text)].length)
      expect(countGraphemes(text, 7)).toBe(Math.min([...segmenter.segment(text)].length, 8))
    }),
    { numRuns: 200 },
  )
})

describe('ids', () => {
  test('are what their pattern matches', () => {
    const digits = fc.stringMatching(/^[0-9]{1,17}$/)
    const nearTheEnd = fc.bigInt(-2_000n, 2_000n).map((away) => String(BigInt(ID_MAX) + away))
    const sameBeginning = fc
      .tuple(fc.nat(16), digits)
      .map(([same, rest]) => (String(ID_MAX).slice(0, same) + rest).slice(0, 16))
    const others = fc.constantFrom('', '0', '01', '-1', '+1', '1.0', '1e3', ' 1', '1 ', '1\n', '٣')
    fc.assert(
      fc.property(fc.oneof(digits, nearTheEnd, sameBeginning, others), (text) => {
        expect(new RegExp(ID_PATTERN, 'u').test(text)).toBe(codeOf(() => parseId(text)) === undefined)
      }),
      { numRuns: 5_000 },
    )
  })

  test('rise strictly, whatever the clock does', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -60_000, max: 60_000 }), { minLength: 1 }), (jumps) => {
        let nowMs = Date.UTC(2026, 0, 1)
        const ids = createIdSource(() => nowMs)
        let last = 0
        for (const jump of jumps) {
          nowMs += jump
          const id = ids.next()
          expect(id).toBeGreaterThan(last)
          last = id
        }
      }),
    )
  })

  test('a fence is not below what was given out and below all that comes', () => {
    const ids = createIdSource(() => Date.UTC(2026, 0, 1))
    const before = ids.next()
    const fence = ids.fence()
    expect(fence).toBeGreaterThanOrEqual(before)
    expect(ids.next()).toBeGreaterThan(fence)
  })

  test('carry their time to 10 ms and stay exact', () => {
    const timeMs = Date.UTC(2026, 10, 21, 12, 0, 0, 120)
    expect(idTimeMs(idFloorAt(timeMs))).toBe(timeMs)
    expect(idFloorAt(Date.UTC(2046, 0, 1))).toBeLessThan(ID_MAX)
  })

  test('imports keep their times; more than a tick holds move on to the next', () => {
    const next = createImportIds()
    const timeMs = Date.UTC(2010, 5, 1)
    const ids = Array.from({ length: 300 }, () => next(timeMs))
    expect(new Set(ids).size).toBe(300)
    expect(ids.map((id) => idTimeMs(id) - timeMs)).toEqual(ids.map((_, i) => Math.floor(i / 128) * 10))
  })

  test.for(['', '0', '-1', 'abc', '9007199254740992', '9007199254740993', '1.5', ' 1', '01', '1e3'])(
    '%j is no id',
    (bad) => {
      expect(codeOf(() => parseId(bad))).toBe('invalid_id')
    },
  )

  test('2^53 - 1 is one', () => expect(parseId('9007199254740991')).toBe(ID_MAX))
})

describe('keys', () => {
  const id = fc.maxSafeNat()
  test('sort as their numbers do', () => {
    fc.assert(
      fc.property(id, id, (a, b) => {
        expect(idKey(a) < idKey(b)).toBe(a < b)
        expect(idKeyDesc(a) < idKeyDesc(b)).toBe(a > b)
        expect(parseIdKeyDesc(idKeyDesc(a))).toBe(a)
      }),
    )
    fc.assert(fc.property(fc.nat(2 ** 31), (n) => void expect(parseKey(u32Key(n))).toBe(n)))
  })
})

describe('codec', () => {
  const codec = struct({
    a: u8,
    b: u32,
    c: u53,
    d: bool,
    e: text,
    f: optional(text),
    g: list(u32),
    h: u32Array,
    i: f64Array,
  })

  test('gives back what was written', () => {
    const value = fc.record({
      a: fc.nat(255),
      b: fc.nat(2 ** 32 - 1),
      c: fc.maxSafeNat(),
      d: fc.boolean(),
      e: fc.string({ unit: 'grapheme' }),
      f: fc.option(fc.string(), { nil: undefined }),
      g: fc.array(fc.nat(1000)),
      h: fc.array(fc.nat(2 ** 32 - 1)).map((n) => Uint32Array.from(n)),
      i: fc.array(fc.maxSafeNat()).map((n) => Float64Array.from(n)),
    })
    fc.assert(fc.property(value, (v) => void expect(decode(codec, encode(codec, v))).toEqual(v)))
  })

  test('a reader that knows more fields than were written gives their defaults', () => {
    const older = struct({ a: u8 })
    const newer = struct({ a: u8, b: u32, c: optional(text) })
    expect(decode(newer, encode(older, { a: 7 }))).toEqual({ a: 7, b: 0, c: undefined })
  })

  test.for([
    ['list', list(u32)],
    ['u32Array', u32Array],
    ['f64Array', f64Array],
  ] as const)('a damaged length of %s is refused, not believed', ([, codec]) => {
    expect(codeOf(() => decode<unknown>(codec, Buffer.from('ffffffff0102030405060708', 'hex')))).toBe(
      'data_corrupt',
    )
  })

  test('a value that cannot be written leaves nothing behind for the next one', () => {
    const pair = struct({ a: u32, b: text })
    expect(() => encode(pair, { a: 1, b: undefined as unknown as string })).toThrow()
    expect(decode(pair, encode(pair, { a: 2, b: 'two' }))).toEqual({ a: 2, b: 'two' })
  })

  test('a value that ends in the middle of a field is refused', () => {
    const bytes = encode(codec, {
      a: 1,
      b: 2,
      c: 3,
      d: true,
      e: 'text',
      f: 'x',
      g: [1],
      h: new Uint32Array(1),
      i: new Float64Array(1),
    })
    expect(codeOf(() => decode(codec, bytes.subarray(0, 10)))).toBe('data_corrupt')
  })
})

describe('text', () => {
  test('is counted as people count', () => {
    expect(countGraphemes('e\u0301', 10)).toBe(1)
    expect(countGraphemes('👨‍👩‍👧‍👦', 10)).toBe(1)
    expect(countGraphemes('x'.repeat(5_001), 5_000)).toBe(5_001)
  })

  test.for([
    ['a\0b', 'NUL'],
    ['a\ud800b', 'a lone surrogate'],
    ['x'.repeat(11), 'one too many'],
  ])('%j is refused: %s', ([bad]) => {
    expect(codeOf(() => checkText(bad, { path: '/content', graphemesMax: 10 }))).toBe('invalid_request')
  })

  test('ten families are ten characters', () => {
    expect(checkText('👨‍👩‍👧‍👦'.repeat(10), { path: '/content', graphemesMax: 10 })).toHaveLength(110)
  })
})

describe('sorted arrays', () => {
  const numbers = fc.uniqueArray(fc.nat(500)).map((n) => Uint32Array.from(n).sort())
  test('behave as sets', () => {
    fc.assert(
      fc.property(numbers, fc.nat(500), (values, n) => {
        const set = new Set(values)
        expect(includesSorted(values, n)).toBe(set.has(n))
        expect([...insertSorted(values, n)]).toEqual([...new Set([...values, n])].sort((a, b) => a - b))
        expect([...removeSorted(values, n)]).toEqual([...values].filter((v) => v !== n))
        expect(lowerBound(values, n)).toBe([...values].filter((v) => v < n).length)
      }),
    )
  })
})

describe('cursors', () => {
  const codec = struct({ a: u8, b: u53 })
  const seal = createCursorSeal(new Uint8Array(32).fill(1))
  const cursor = seal.seal(codec, { a: 1, b: 42 })

  test('open where they were sealed', () => expect(seal.open(codec, cursor)).toEqual({ a: 1, b: 42 }))

  test('are refused when edited, cut, lengthened, sealed elsewhere or made up', () => {
    const other = createCursorSeal(new Uint8Array(32).fill(2))
    const bad = [
      cursor.slice(0, -1),
      `${cursor}A`,
      '',
      'abc',
      'a b',
      other.seal(codec, { a: 1, b: 42 }),
      'A'.repeat(5_000),
    ]
    for (let i = 0; i < cursor.length; i++) {
      bad.push(cursor.slice(0, i) + (cursor[i] === 'A' ? 'B' : 'A') + cursor.slice(i + 1))
    }
    for (const text of bad)
      expect(
        codeOf(() => seal.open(codec, text)),
        text,
      ).toBe('invalid_cursor')
  })
})
