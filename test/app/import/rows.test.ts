/** Rows of files: what is a header, what is a bad row and where, and that the rest goes on. */

import { expect, test } from 'vitest'
import { isHeader, splitColumns } from '../../../src/app/import/columns.ts'
import { describeWorld, importText, tempFolder } from '../folders.ts'

test.each([
  [['id_1', 'id_2'], ['0', '23977'], true],
  [['follower', 'followee'], ['ada', 'bob'], true],
  [['Source', 'Target'], undefined, true],
  [['this', 'that'], ['1', '2'], true],
  [['ada', 'bob'], ['cem', 'dan'], false],
  [['ada', 'bob'], ['1', 'dan'], false],
  [['1', '2'], ['3', '4'], false],
  [['12a', '34'], ['3', '4'], false],
  [['1a', '2b'], ['3', '4'], false],
  [['id_1', 'id_2', 'weight'], ['1', '2', '3'], false],
])('%j before %j: a header? %s', (first, second, expected) => expect(isHeader(first, second)).toBe(expected))

test('columns are trimmed, quotes hold separators and quotes', () => {
  expect(splitColumns(' a , b ', ',')).toEqual(['a', 'b'])
  expect(splitColumns('"a,b","say ""hi"""', ',')).toEqual(['a,b', 'say "hi"'])
  expect(splitColumns('a,"b', ',')).toBeUndefined()
  expect(splitColumns('', ',')).toEqual([''])
})

test('bad rows are told with their lines, the rest is imported', async () => {
  const data = tempFolder()
  const edges = [
    'id_1,id_2',
    '1,2',
    '',
    '2,3,4',
    '5',
    '1,2',
    '7,7',
    ',8',
    '3,2a',
    '"a, b",1',
    `${'x'.repeat(129)},1`,
    '1,bell\u0007',
    '2,1',
  ].join('\r\n')
  const { edges: counts, accounts, bad, notices } = await importText(data, { edges })
  expect(counts).toEqual({ added: 4, known: 0, unfollowed: 0 })
  expect(accounts).toEqual({ created: 5, known: 0 })
  expect(notices).toEqual([
    'edges.csv:1: taken for a header (id_1,id_2); --no-header makes it an edge',
    'edges.csv:3: blank line',
    'edges.csv:4: wrong number of columns (3 instead of 2)',
    'edges.csv:5: wrong number of columns (1 instead of 2)',
    'edges.csv:7: self-loop (7 follows itself)',
    'edges.csv:8: not an external id (must not be empty)',
    'edges.csv:11: not an external id (must have at most 128 characters (Unicode code points))',
    'edges.csv:12: not an external id (must not contain control characters)',
    'edges.csv:6: duplicate',
  ])
  expect(bad).toMatchObject({ 'wrong number of columns': 2, 'self-loop': 1, duplicate: 1 })
  const { people } = await describeWorld(data)
  expect(Object.keys(people).sort()).toEqual(['1', '2', '2a', '3', 'a, b'])
  expect(people['1']).toMatchObject({ follows: ['2'], followers: ['2', 'a, b'], followersCount: 2 })
})

test('twenty bad rows are shown, all are counted', async () => {
  const edges = `1,2\n${'x\n'.repeat(50)}`
  const { bad, notices } = await importText(tempFolder(), { edges })
  expect(bad).toEqual({ 'wrong number of columns': 50 })
  expect(notices).toHaveLength(21)
  expect(notices.at(-1)).toBe('more such rows are counted, but not shown')
})

test('with --mutual, a row and its reverse are one', async () => {
  const data = tempFolder()
  const { edges, bad } = await importText(data, { edges: 'a,b\nb,a\nb,c\n' }, { mutual: true })
  expect(edges.added).toBe(4)
  expect(bad).toEqual({ duplicate: 1 })
})

test('a header can be said to be none', async () => {
  const data = tempFolder()
  await importText(data, { edges: 'from,to\nada,bob\n' }, { header: 'no' })
  expect(Object.keys((await describeWorld(data)).people)).toEqual(['ada', 'bob', 'from', 'to'])
})

test('posts that are none are told with their lines', async () => {
  const data = tempFolder()
  const at = '"created_at":"2020-05-01T12:00:00Z"'
  const posts = [
    `{"author":"ada","content":"one",${at}}`,
    '{"author":',
    '[]',
    `{"author":"ada","content":"  ",${at}}`,
    `{"author":"","content":"x",${at}}`,
    `{"author":"ada","content":"x","created_at":"2020-05-01T12:00:00"}`,
    `{"author":"ada","content":"x","created_at":"1999-01-01T00:00:00Z"}`,
    `{"author":"ada","content":"x","created_at":"2999-01-01T00:00:00Z"}`,
    `{"author":"ada","content":"x","likes":3,${at}}`,
    `{"author":"ada",${at}}`,
    `{"author":"ada","content":"${'y'.repeat(5_001)}",${at}}`,
    `{"author":"ada","custom":"${'y'.repeat(9_000)}",${at}}`,
    `{"author":"ada","custom":${'['.repeat(10_000)}${']'.repeat(10_000)},${at}}`,
    `{"author":"ada","content":"nul \\u0000",${at}}`,
    `{"author":"ada","content":"half \\ud800",${at}}`,
    '',
    `{"author":"ada","custom":{"__proto__":1},"visibility":"followers","created_at":1588334400000}`,
    `{"author":7,"content":"by number","created_at":"2020-05-01T14:00:00.5+02:00"}`,
  ].join('\n')
  const { posts: counts, bad, notices } = await importText(data, { posts })
  expect(counts).toEqual({ added: 3, known: 0 })
  expect(bad).toEqual({ 'not JSON': 1, 'not a post': 13, 'blank line': 1 })
  expect(notices.slice(0, 4)).toEqual([
    'posts.jsonl:2: not JSON',
    'posts.jsonl:3: not a post (the body is not a JSON object)',
    'posts.jsonl:4: not a post (/content must hold something that can be seen)',
    'posts.jsonl:5: not a post (/author is not an external id: must not be empty)',
  ])
  const { posts: stored } = await describeWorld(data)
  expect(stored).toEqual([
    '["7",1588334400500,"by number",null,0,false,null]',
    '["ada",1588334400000,"one",null,0,false,null]',
    '["ada",1588334400000,null,"{\\"__proto__\\":1}",1,false,null]',
  ])
})
