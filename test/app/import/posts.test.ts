/** Posts from files, as JSON Lines or one array, under the rules of the API. */

import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createArrayReader } from '../../../src/app/import/json-array.ts'
import { RECORD_BYTES_MAX } from '../../../src/app/import/lines.ts'
import { describeWorld, importText, readText, tempFolder } from '../folders.ts'

const AT = '"created_at":"2020-05-01T12:00:00Z"'
const GOOD = `{"author":"ada","content":"one",${AT}}`

test.each<[string, string]>([
  ['what is no JSON', '{"author":'],
  ['an array', '[]'],
  ['a number', '5'],
  ['two posts', `${GOOD}${GOOD}`],
  ['blank content', `{"author":"ada","content":"  ",${AT}}`],
  ['content that cannot be seen', `{"author":"ada","content":"\\u200b\\u3164\\u2800",${AT}}`],
  ['content that cannot be seen, beside custom', `{"author":"ada","content":"\\ufeff","custom":1,${AT}}`],
  ['no content', `{"author":"ada",${AT}}`],
  ['content that is null', `{"author":"ada","content":null,"custom":1,${AT}}`],
  ['custom that is null', `{"author":"ada","custom":null,${AT}}`],
  ['long content', `{"author":"ada","content":"${'y'.repeat(5_001)}",${AT}}`],
  ['heavy content', `{"author":"ada","content":"x${'\\u0301'.repeat(140_000)}",${AT}}`],
  ['NUL', `{"author":"ada","content":"nul \\u0000",${AT}}`],
  ['half a character', `{"author":"ada","content":"half \\ud800",${AT}}`],
  ['a control character in a string', '{"author":"ada","content":"a\tb"}'],
  ['large custom', `{"author":"ada","custom":"${'y'.repeat(9_000)}",${AT}}`],
  ['deep custom', `{"author":"ada","custom":${'['.repeat(33)}${']'.repeat(33)},${AT}}`],
  ['very deep custom', `{"author":"ada","custom":${'['.repeat(100_000)}${']'.repeat(100_000)},${AT}}`],
  ['a number that is too large', `{"author":"ada","custom":1e999,${AT}}`],
  ['a name twice', `{"author":"eve","author":"ada","content":"x",${AT}}`],
  ['a name twice, once escaped', `{"author":"eve","auth\\u006fr":"ada","content":"x",${AT}}`],
  ['a name twice, deep down', `{"author":"ada","custom":{"a":[{"b":1,"b":2}]},${AT}}`],
  ['__proto__', `{"author":"ada","content":"x","__proto__":{},${AT}}`],
  ['__proto__ deep down', `{"author":"ada","custom":{"__proto__":1},${AT}}`],
  ['__proto__ behind an escape', `{"author":"ada","custom":{"__pr\\u006fto__":1},${AT}}`],
  ['constructor.prototype', `{"author":"ada","custom":{"constructor":{"prototype":{}}},${AT}}`],
  ['an unknown field', `{"author":"ada","content":"x","likes":3,${AT}}`],
  ['a field of the API', `{"author":"ada","content":"x","reply_to":"5",${AT}}`],
  ['no author', `{"content":"x",${AT}}`],
  ['an empty author', `{"author":"","content":"x",${AT}}`],
  ['a long author', `{"author":"${'👋'.repeat(129)}","content":"x",${AT}}`],
  ['an author with a line end', `{"author":"a\\nb","content":"x",${AT}}`],
  ['an author that is no whole number', `{"author":1.5,"content":"x",${AT}}`],
  ['an author that is too large a number', `{"author":9007199254740993,"content":"x",${AT}}`],
  ['an author that is true', `{"author":true,"content":"x",${AT}}`],
  ['an id that is empty', `{"author":"ada","id":"","content":"x",${AT}}`],
  ['an id that is null', `{"author":"ada","id":null,"content":"x",${AT}}`],
  ['another visibility', `{"author":"ada","content":"x","visibility":"friends",${AT}}`],
  ['a visibility that is null', `{"author":"ada","content":"x","visibility":null,${AT}}`],
  ['a visibility in capitals', `{"author":"ada","content":"x","visibility":"PUBLIC",${AT}}`],
  ...[
    'null',
    '""',
    '"2020-05-01T12:00:00"',
    '"2020-05-01T12:00Z"',
    '"2020-02-30T12:00:00Z"',
    '"2021-02-29T12:00:00Z"',
    '"2020-04-31T12:00:00+02:00"',
    '"2020-05-01T24:00:00Z"',
    '"2020-05-01T12:60:00Z"',
    '"2016-12-31T23:59:60Z"',
    '"2020-05-01T12:00:00+0200"',
    '"2020-05-01 12:00:00Z"',
    '"2003-12-31T23:59:59Z"',
    '"2999-01-01T00:00:00Z"',
    '"1588334400000"',
    '1588334400',
    '1588334400000.5',
    '1588334400000000',
    '-1',
    '1e400',
    '{}',
  ].map((time): [string, string] => [
    `created_at ${time}`,
    `{"author":"ada","content":"x","created_at":${time}}`,
  ]),
  ['no created_at', '{"author":"ada","content":"x"}'],
])('is left out, and the posts around it are imported: %s', async (_name, line) => {
  const read = await readText({ posts: `${GOOD}\n\n${line}\n${GOOD}\n` })
  expect([read.posts, Object.values(read.bad), read.noted]).toEqual([2, [1], { 'blank line': 1 }])
  expect(read.notices.filter((notice) => /^posts\.jsonl:3: not /.test(notice))).toHaveLength(1)
  await expect(readText({ posts: line })).rejects.toMatchObject({ code: 'import_invalid' })
})

test('posts that the API accepts are imported', async () => {
  const data = tempFolder()
  const posts = [
    `{"author":7,"content":"by number","created_at":"2020-05-01T14:00:00.5+02:00"}`,
    `{"author":"${'👋'.repeat(128)}","content":"${'👨‍👩‍👧'.repeat(5_000)}","created_at":1588334400009}`,
    ` {"custom":{"constructor":1,"prototype":2},"author":"ada","visibility":"followers",${AT}} `,
    `{"author":"ada","content":"mine","id":17,"visibility":"self","created_at":"2020-05-01t12:00:00z"}`,
  ].join('\r\n')
  expect(await importText(data, { posts })).toMatchObject({ posts: { added: 4, known: 0 }, bad: {} })
  expect((await describeWorld(data)).posts).toEqual([
    '["7",1588334400500,"by number",null,0,false,null]',
    '["ada",1588334400000,"mine",null,2,false,"17"]',
    '["ada",1588334400000,null,"{\\"constructor\\":1,\\"prototype\\":2}",1,false,null]',
    `["${'👋'.repeat(128)}",1588334400000,"${'👨‍👩‍👧'.repeat(5_000)}",null,0,false,null]`,
  ])
})

const ROWS = [
  { author: 'ada', content: 'one ],[ "two" \\', created_at: 1588334400000 },
  { author: 'bob', custom: { a: [1, { b: '}' }], c: '👋' }, created_at: 1588334400000 },
  { author: 'cyd', content: 'line\nend', created_at: '2020-05-01T12:00:00Z' },
]

test('an array of posts gives the same as lines of posts, however it is formatted', async () => {
  const lines = tempFolder()
  await importText(lines, { posts: ROWS.map((row) => JSON.stringify(row)).join('\n') })
  const expected = await describeWorld(lines)
  expect(expected.posts).toHaveLength(3)
  const pretty = JSON.stringify(ROWS, undefined, 2)
  const written = [
    JSON.stringify(ROWS),
    pretty,
    `\ufeff\r\n\t ${pretty.replaceAll('\n', '\r\n')}\n\n`,
    `[${ROWS.map((row) => JSON.stringify(row)).join('\n,\n')}]`,
    gzipSync(pretty),
  ]
  for (const posts of written) {
    const data = tempFolder()
    expect(await importText(data, { posts })).toMatchObject({ posts: { added: 3 }, bad: {} })
    expect(await describeWorld(data)).toEqual(expected)
  }
})

test('elements that are not posts are reported with the lines where they begin', async () => {
  const posts = [
    '[',
    `${GOOD},`,
    '{"author":',
    '  "eve"}, 5,',
    '',
    ',',
    `  ${GOOD.replace('one', 'two')}`,
    ',',
    ']',
  ]
  const { bad, notices, posts: taken } = await readText({ posts: posts.join('\n') })
  expect(taken).toBe(2)
  expect(bad).toEqual({ 'not a post': 2, 'no element at a comma': 2 })
  expect(notices.map((notice) => /^posts\.jsonl:\d+/.exec(notice)?.[0])).toEqual(
    [3, 4, 6, 9].map((line) => `posts.jsonl:${line}`),
  )
})

test.each<[string, string]>([
  ['an empty array', '[]'],
  ['an array that does not end', `[${GOOD},\n${GOOD}`],
  ['an array that ends in a post', `[${GOOD},\n{"author":"ada"`],
  ['an array that ends in a string', `[${GOOD},\n{"author":"ad]`],
  ['a bracket too few', `[${GOOD},{"custom":[1,"author":"ada"},${GOOD}]`],
  ['something behind the array', `[${GOOD}]\n${GOOD}`],
  ['posts over many lines', JSON.stringify(ROWS[0], undefined, 2)],
  ['an object that holds the array', JSON.stringify({ posts: ROWS })],
  ['CSV', 'author,content\nada,one\n'],
])('the whole file is refused: %s', async (_name, posts) => {
  await expect(readText({ posts })).rejects.toMatchObject({ code: 'import_invalid' })
})

test('a file of posts that is refused leaves nothing behind, nor do the edges that were read before it', async () => {
  const data = tempFolder()
  const wrong = importText(data, { edges: 'ada,bob\n', posts: `[${GOOD},\n${GOOD}` })
  await expect(wrong).rejects.toMatchObject({ code: 'import_invalid' })
  expect(await describeWorld(data)).toMatchObject({ people: {}, posts: [] })
})

function elementsOf(text: string, chunkBytes: number) {
  const [elements, faults]: [[unknown, number][], number[]] = [[], []]
  const reader = createArrayReader('f', {
    element: (element, line) => elements.push([JSON.parse(element), line]),
    fault: (line) => faults.push(line),
  })
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += chunkBytes) reader.take(bytes.subarray(at, at + chunkBytes))
  reader.end()
  return { elements, faults }
}

test('every element is returned unchanged, whatever it holds and however its bytes are split', () => {
  fc.assert(
    fc.property(
      fc.array(fc.jsonValue({ maxDepth: 3 }), { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom(undefined, 1, '\t'),
      (values, chunkBytes, indent) => {
        const { elements, faults } = elementsOf(JSON.stringify(values, undefined, indent), chunkBytes)
        expect(elements.map(([value]) => value)).toEqual(JSON.parse(JSON.stringify(values)))
        expect(faults).toEqual([])
      },
    ),
    { numRuns: 500 },
  )
})

test('an element that is too long is left out, the next one is read', () => {
  const long = JSON.stringify('x'.repeat(RECORD_BYTES_MAX - 2))
  const text = `[${long},\n"x${long.slice(1)},\n"next"\n]`
  const { elements, faults } = elementsOf(text, 100_000)
  expect(elements.map(([, line]) => line)).toEqual([1, 3])
  expect(faults).toEqual([2])
})

test('a post whose id another post of the author has is reported, and not dropped silently', async () => {
  const data = await tempFolder()
  const line = (id: string, content: string, more = '') =>
    `{"author":"ada","id":"${id}","content":"${content}",${AT}${more}}`
  const posts = [line('1', 'first'), line('1', 'second'), line('2', 'third'), line('2', 'third')].join('\n')
  const kind = 'another post of this author has this id'
  expect(await importText(data, { posts })).toMatchObject({
    posts: { added: 2, known: 1, conflicting: 1 },
    bad: { [kind]: 1 },
  })
  // The same holds for a post from an earlier import.
  const again = [line('1', 'first'), line('2', 'changed'), line('1', 'first', ',"visibility":"self"')].join(
    '\n',
  )
  expect(await importText(data, { posts: again })).toMatchObject({
    posts: { added: 0, known: 1, conflicting: 2 },
    bad: { [kind]: 2 },
  })
})
