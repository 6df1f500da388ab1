/** Rows of edge lists: invalid ones are left out and reported, the others are imported. */

import { expect, test } from 'vitest'
import { describeWorld, importText, readText, tempFolder } from '../folders.ts'

const peopleOf = async (data: string) => Object.keys((await describeWorld(data)).people)

test('invalid rows are reported with their lines, the others are imported', async () => {
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
    '2,"o"ps',
    '2,o"ps',
    '2,"two',
    'lines"',
    'id_1,id_2',
    `${'👋'.repeat(128)},1`,
    '2,1',
  ].join('\r\n')
  const { edges: counts, accounts, bad, noted, notices } = await importText(data, { edges })
  expect(counts).toEqual({ added: 5, known: 0, unfollowed: 0 })
  expect(accounts).toEqual({ created: 6, known: 0 })
  expect(notices.map((notice) => /^edges\.csv:\d+: (taken|[^(]*[^ (])/.exec(notice)?.[0])).toEqual([
    'edges.csv:1: taken',
    'edges.csv:3: blank line',
    'edges.csv:4: wrong number of columns',
    'edges.csv:5: wrong number of columns',
    'edges.csv:7: self-loop',
    'edges.csv:8: not an external id',
    'edges.csv:11: not an external id',
    'edges.csv:12: not an external id',
    'edges.csv:13: text behind a closing quote',
    'edges.csv:14: a quote inside a cell that is not in quotes',
    'edges.csv:15: not an external id',
    'edges.csv:17: the header once more',
    'edges.csv:6: duplicate',
  ])
  expect(bad).toMatchObject({ 'wrong number of columns': 2, 'not an external id': 4, 'self-loop': 1 })
  expect(noted).toEqual({ 'blank line': 1, duplicate: 1 })
  const { people } = await describeWorld(data)
  expect(Object.keys(people).sort()).toEqual(['1', '2', '2a', '3', 'a, b', '👋'.repeat(128)])
  expect(people['1']).toMatchObject({ follows: ['2'], followersCount: 3 })
})

test('twenty invalid rows are shown and all are counted; blank and repeated rows do not hide them', async () => {
  const edges = `1,2\n${'1,2\n'.repeat(50)}${'\n'.repeat(50)}${'x\n'.repeat(50)}`
  const { bad, noted, notices } = await importText(tempFolder(), { edges })
  expect([bad, noted]).toEqual([{ 'wrong number of columns': 50 }, { duplicate: 50, 'blank line': 50 }])
  expect(notices).toHaveLength(42)
  expect(notices.filter((notice) => notice.includes('wrong number of columns'))).toHaveLength(20)
})

test('with --mutual, a row and its reverse count as equal', async () => {
  const { edges, noted } = await importText(tempFolder(), { edges: 'a,b\nb,a\nb,c\n' }, { mutual: true })
  expect(edges.added).toBe(4)
  expect(noted).toEqual({ duplicate: 1 })
})

const edgesOf = async (...args: Parameters<typeof readText>) => (await readText(...args)).edges

test('a header names the columns, whether it is detected or announced with a flag', async () => {
  const expected = ['bob>ada', 'cyd>ada']
  const wide = 'when,whom,who\n2020,ada,bob\n"two\nlines, both ignored",ada,cyd\n'
  const columns = { follower: 'who', followee: 'whom' }
  expect(await edgesOf({ edges: 'followee;follower\nada;bob\nada;cyd\n' })).toEqual(expected)
  expect(await edgesOf({ edges: wide }, { columns })).toEqual(expected)
  const byNumber = { header: 'no', columns: { follower: '3', followee: '2' } } as const
  expect(await edgesOf({ edges: 'x|ada|bob\ny|ada|cyd\n' }, byNumber)).toEqual(expected)
})

test.each([
  [{ follower: 'who', followee: 'whose' }, 'auto'],
  [{ follower: 'WHO', followee: 'whom' }, 'yes'],
  [{ follower: 'when', followee: 'whom' }, 'yes'],
  [{ follower: 'who', followee: 'whom' }, 'no'],
  [{ follower: '0', followee: '1' }, 'no'],
  [{ follower: '1', followee: '5' }, 'no'],
] as const)('columns that are not there, or twice, are refused: %j, header %s', async (columns, header) => {
  const edges = 'when,whom,who,when\n2020,ada,bob,2021\n'
  await expect(readText({ edges }, { columns, header })).rejects.toMatchObject({ code: 'import_invalid' })
})

test('a flag makes a header an edge, or an edge a header', async () => {
  expect(await edgesOf({ edges: 'from,to\nada,bob\n' }, { header: 'no' })).toEqual(['from>to', 'ada>bob'])
  expect(await edgesOf({ edges: 'who,whom\nada,bob\n' }, { header: 'yes' })).toEqual(['ada>bob'])
})

test('a header is found behind blank lines and a title', async () => {
  const { edges, bad, noted } = await readText({ edges: '\nMy network\n\nfrom,to\nada,bob\n' })
  expect([edges, bad, noted]).toEqual([['ada>bob'], { 'wrong number of columns': 1 }, { 'blank line': 2 }])
})

test('ids that look like names of columns are edges where they are ids further down', async () => {
  const { edges, notices } = await readText({ edges: 'user1,user2\nuser2,user3\nu,v\n' })
  expect([edges, notices]).toEqual([['user1>user2', 'user2>user3', 'u>v'], []])
})

test('words that could be names of columns are taken for an edge, with a notice', async () => {
  const { edges, notices } = await readText({ edges: 'ada,bob\ncyd,dan\n' })
  expect(edges).toHaveLength(2)
  expect(notices.map((notice) => notice.slice(0, 11))).toEqual(['edges.csv:1'])
})

test.each([
  ['a;b\nb;a\n', undefined],
  ['a\tb\nb\ta\n', undefined],
  ['a|b\nb|a\n', undefined],
  ['"a";"b"\n"b";"a"\n', undefined],
  ['a,;b,\nb,;a,\n', ';'],
  ['a b\nb a\n', ' '],
  ['a:b\nb:a\n', ':'],
])('the separator is detected, or given with a flag: %j', async (edges, delimiter) => {
  expect(await edgesOf({ edges }, { delimiter })).toHaveLength(2)
})

test('only blanks around cells are removed', async () => {
  const edges = ' ada \t,\u00a0bob\n" cyd ",d\u200be\n'
  expect(await edgesOf({ edges }, { header: 'no' })).toEqual(['ada>\u00a0bob', ' cyd >d\u200be'])
})

test('lines that are comments are skipped', async () => {
  const edges = '# "Directed\n# FromNodeId\tToNodeId\n0\t1\n# 5\t6\n1\t0\n'
  await expect(readText({ edges })).rejects.toMatchObject({ code: 'import_invalid' })
  const read = await readText({ edges }, { comment: '#' })
  expect([read.edges, read.bad]).toEqual([['0>1', '1>0'], {}])
})

test.each<[string, string]>([
  ['nothing', ''],
  ['blank lines', '\n\r\n \n'],
  ['a header alone', 'follower,followee\n'],
  ['bad rows alone', 'follower,followee\nada\nbob,\n'],
  ['who follow themselves alone', 'ada,ada\nbob,bob\n'],
  ['one cell a row', 'ada\nbob\n'],
  ['blanks between cells', '1 2\n2 3\n'],
  ['three cells a row', 'source,target,weight\n1,2,0.5\n2,3,1\n'],
  ['cells that two characters may separate', 'a,b;c\nd,e;f\n'],
  ['lines that end with CR alone', 'ada,bob\rbob,ada\r'],
  ['a quote that does not close', 'ada,bob\n"cyd,dan\neve,fay\n'],
  ['a quote that closes far down, with text behind', 'ada,bob\n"cyd,dan\neve,fay"gil\n'],
  ['what may be a header', 'user,weight\nada,bob\n'],
])('the whole file is refused: %s', async (_name, edges) => {
  await expect(readText({ edges })).rejects.toMatchObject({ code: 'import_invalid' })
})

test('a file that is refused changes nothing', async () => {
  const data = tempFolder()
  await importText(data, { edges: 'x1,y1\n' })
  const before = await describeWorld(data)
  await expect(importText(data, { edges: 'ada,bob\n"cyd,dan\n' })).rejects.toMatchObject({
    code: 'import_invalid',
  })
  expect(await describeWorld(data)).toEqual(before)
})

test('an open quote is reported with the line where it begins', async () => {
  const edges = `ada,bob\n${'bob,ada\n'.repeat(10)}"cyd,dan\n${'x,y\n'.repeat(100)}`
  await expect(readText({ edges })).rejects.toThrow('edges.csv:12:')
  const endless = `ada,bob\n"${'x,y\n'.repeat(20_000)}"`
  await expect(readText({ edges: endless })).rejects.toThrow('edges.csv:2:')
})

test('the first invalid row ends a strict import, and nothing is written', async () => {
  const data = tempFolder()
  const posts = '{"author":"ada","content":"x","created_at":1600000000000}\n{}\n'
  const strict = { isStrict: true }
  await expect(importText(data, { edges: 'ada,bob\nada,bob\n\n', posts }, strict)).rejects.toThrow(
    'posts.jsonl:2:',
  )
  await expect(importText(data, { edges: 'ada,bob\ncyd\n' }, strict)).rejects.toThrow('edges.csv:2:')
  expect(await peopleOf(data)).toEqual([])
  const { edges, noted } = await importText(data, { edges: 'ada,bob\nada,bob\n\n' }, strict)
  expect([edges.added, noted]).toEqual([1, { duplicate: 1, 'blank line': 1 }])
})

test('follows beyond the limit are left out and reported with their rows', async () => {
  const data = tempFolder()
  const many = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => `star,fan${from + i}\n`).join('')
  await importText(data, { edges: many(0, 9_990) })
  const { edges, bad, notices } = await importText(data, { edges: `ada,bob\n${many(9_980, 10_030)}` })
  expect([edges.added, edges.known, bad]).toEqual([
    11,
    10,
    { 'over the limit of 10000 follows an account': 30 },
  ])
  const lines = notices.map((notice) => Number(/^edges\.csv:(\d+): over/.exec(notice)?.[1]))
  expect(lines.filter((line) => line >= 22 && line <= 51)).toHaveLength(20)
  const strict = importText(data, { edges: 'star,one\n' }, { isStrict: true })
  await expect(strict).rejects.toThrow('edges.csv:1:')
})
