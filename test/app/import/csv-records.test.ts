/** CSV after RFC 4180, however it is cut into batches. */

import { expect, test } from 'vitest'
import fc from 'fast-check'
import { createCsvRecords } from '../../../src/app/import/csv-records.ts'

type Read = [cells: string[], line: number, last: number]

/** @returns the records; one that is left out is its line and reason as text */
function parse(
  text: string,
  { delimiter = ',', batchLines = 1_000, faults = new Map<number, string>() } = {},
) {
  const read: (Read | string)[] = []
  const records = createCsvRecords(
    'f',
    { delimiter, comment: undefined },
    {
      record: (cells, line, last) => read.push([cells, line, last]),
      fault: (line, what) => read.push(`${line} ${what}`),
    },
  )
  const lines = text.split('\n')
  for (let from = 0; from < lines.length; from += batchLines) {
    records.take({
      file: 'f',
      first: from + 1,
      lines: lines.slice(from, from + batchLines),
      faults: from === 0 ? faults : new Map(),
      bytesRead: 0,
      bytesTotal: 0,
    })
  }
  records.end()
  return read
}
const cellsOf = (text: string, delimiter = ',') =>
  parse(text, { delimiter }).map((row) => (typeof row === 'string' ? row : row[0]))

test.each<[string, string[]]>([
  ['a,b', ['a', 'b']],
  [' a , b\t', ['a', 'b']],
  ['', ['']],
  [',', ['', '']],
  ['a,', ['a', '']],
  ['"a","b"', ['a', 'b']],
  ['"a,b","say ""hi"""', ['a,b', 'say "hi"']],
  ['"",""', ['', '']],
  ['""""', ['"']],
  [' "a" , "b" ', ['a', 'b']],
  ['"a ",b', ['a ', 'b']],
  ['a,"b"', ['a', 'b']],
  ['"a",', ['a', '']],
  ['a\u00a0,\u2003b', ['a\u00a0', '\u2003b']],
])('%j', (text, expected) => expect(cellsOf(text)).toEqual([expected]))

test('a blank that is the separator is not trimmed', () => {
  expect(cellsOf('a\t"b\t c"\t', '\t')).toEqual([['a', 'b\t c', '']])
  expect(cellsOf('a "b c"', ' ')).toEqual([['a', 'b c']])
})

test('a cell in quotes holds line ends; records have the lines where they begin and end', () => {
  expect(parse('a,b\n"c\nd","e\n\n""f"\ng,h')).toEqual([
    [['a', 'b'], 1, 1],
    [['c\nd', 'e\n\n"f'], 2, 5],
    [['g', 'h'], 6, 6],
  ])
})

test.each(['a"b,c', 'a,b"', 'a,b"c"', '"a"b,c', '"a""b"c,d', '"a" "b",c', '"a"",b"x'])(
  '%j is left out, and the next line is read',
  (text) => {
    const [fault, next] = parse(`${text}\nx,y`)
    expect(fault).toMatch(/^1 /)
    expect(next).toEqual([['x', 'y'], 2, 2])
  },
)

test.each(['x\n"a,b\nc,d', 'x\n"', 'x\na,"b""', 'x\n"a\nb"c,d', 'x\n"a\nb"c"\nd"'])(
  '%j is refused by the line where the quote opens',
  (text) => expect(() => parse(text)).toThrow('f:2:'),
)

test('a faulty line makes its whole record faulty', () => {
  expect(parse('"a\nb",c\nd,e', { faults: new Map([[1, 'bad']]) })).toEqual(['1 bad', [['d', 'e'], 3, 3]])
})

test('records that were written are read unchanged, whatever the batches', () => {
  const cell = fc.string({
    unit: fc.constantFrom('a', 'é', '👋', '"', ',', ';', ' ', '\n', '\t'),
    maxLength: 6,
  })
  fc.assert(
    fc.property(
      fc.array(fc.array(cell, { minLength: 1, maxLength: 4 }), { maxLength: 8 }),
      fc.integer({ min: 1, max: 5 }),
      fc.constantFrom(',', ';', '\t', '|'),
      (rows, batchLines, delimiter) => {
        const text = rows
          .map((row) => row.map((one) => `"${one.replaceAll('"', '""')}"`).join(delimiter))
          .join('\n')
        const read = parse(text, { batchLines, delimiter }).map(([cells]) => cells)
        expect(read).toEqual(rows.length === 0 ? [['']] : rows)
      },
    ),
    { numRuns: 500 },
  )
})
