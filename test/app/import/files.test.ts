/** Files of all kinds: compressed, in other encodings, without the expected content. */

import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { csvSource } from '../../../src/app/import/csv.ts'
import { readLines, RECORD_BYTES_MAX } from '../../../src/app/import/lines.ts'
import { describeWorld, importSource, importText, readText, tempFolder } from '../folders.ts'

const EDGES = 'follower,followee\nada,bob\nbob,ada\n'
const POST = '{"author":"ada","content":"x","created_at":1600000000000}'

test.each<[string, Buffer]>([
  ['a byte order mark', Buffer.from(`\ufeff${EDGES}`)],
  ['Windows line ends', Buffer.from(EDGES.replaceAll('\n', '\r\n'))],
  ['no last line end', Buffer.from(EDGES.trimEnd())],
  ['gzip', gzipSync(EDGES)],
  ['gzip of a byte order mark', gzipSync(`\ufeff${EDGES}`)],
  ['gzip in two members', Buffer.concat([gzipSync('follower,followee\nada,b'), gzipSync('ob\nbob,ada\n')])],
  ['gzip with zeros behind', Buffer.concat([gzipSync(EDGES), Buffer.alloc(512)])],
])('is read: %s', async (_name, edges) => {
  expect(await readText({ edges })).toMatchObject({ edges: ['ada>bob', 'bob>ada'], bad: {} })
})

const flipped = (bytes: Buffer, at: number) => {
  const copy = Buffer.from(bytes)
  copy[at] ^= 0xff
  return copy
}
const LONG = gzipSync(Array.from({ length: 50_000 }, (_, i) => `u${i},u${i * 7 + 1}`).join('\n'))
const utf16 = Buffer.from(EDGES, 'utf16le')

test.each<[string, Buffer]>([
  ['gzip cut off', LONG.subarray(0, LONG.length / 2)],
  ['gzip cut off in its last bytes', LONG.subarray(0, -3)],
  ['gzip cut off in its head', LONG.subarray(0, 6)],
  ['gzip with a wrong byte', flipped(LONG, LONG.length >> 1)],
  ['gzip with a wrong sum', flipped(LONG, LONG.length - 6)],
  ['gzip with text behind', Buffer.concat([gzipSync(EDGES), Buffer.from('cyd,dan\n')])],
  ['gzip of gzip', gzipSync(gzipSync(EDGES))],
  ['gzip of nothing', gzipSync('')],
  ['zstd', Buffer.from('28b52ffd04586100', 'hex')],
  ['bzip2', Buffer.from('425a683931415926535900000000', 'hex')],
  ['xz', Buffer.from('fd377a585a000004', 'hex')],
  ['zip', Buffer.from('504b0304140000000800', 'hex')],
  ['lz4', Buffer.from('04224d1864407000', 'hex')],
  ['7z', Buffer.from('377abcaf271c0004', 'hex')],
  ['Parquet', Buffer.from('504152311504', 'hex')],
  ['UTF-16', Buffer.concat([Buffer.from([0xff, 0xfe]), utf16])],
  ['UTF-16, big end first', Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(utf16).swap16()])],
  ['UTF-16 without a mark', utf16],
  ['UTF-32', Buffer.concat([Buffer.from([0xff, 0xfe, 0, 0]), Buffer.from('a\0\0\0', 'latin1')])],
  ['NUL bytes', Buffer.alloc(5_000)],
  ['other bytes', Buffer.from(Array.from({ length: 5_000 }, (_, i) => 0x80 | (i * 37)))],
  ['nothing', Buffer.alloc(0)],
  ['a byte order mark alone', Buffer.from('\ufeff')],
])('is refused, in edges and posts: %s', async (_name, bytes) => {
  for (const text of [{ edges: bytes }, { edges: EDGES, posts: bytes }])
    await expect(readText(text)).rejects.toMatchObject({ code: 'import_invalid' })
})

test('posts that are cut off in the middle of a gzip file are not imported in part', async () => {
  const data = tempFolder()
  const posts = Array.from({ length: 40_000 }, (_, i) =>
    JSON.stringify({ author: 'ada', content: `post ${i} ${'🎈'.repeat(i % 7)}`, created_at: 1.6e12 + i }),
  )
  const whole = gzipSync(posts.join('\n'))
  await expect(importText(data, { posts: whole.subarray(0, -100) })).rejects.toMatchObject({
    code: 'import_invalid',
  })
  expect((await describeWorld(data)).posts).toEqual([])
  expect((await importText(data, { posts: whole })).posts.added).toBe(40_000)
})

test('rows with bytes that are not UTF-8 are reported with their lines; replacement characters never become ids', async () => {
  const edges = Buffer.concat([
    Buffer.from('ada,bob\nada,caf'),
    Buffer.from([0xe9]),
    Buffer.from('\nbob,ada\nada,x'),
    Buffer.from([0xed, 0xa0, 0x80]),
    Buffer.from('\nada,\ufffd\nada,n\0l\n\ufeffada,eve\n'),
  ])
  const posts = Buffer.concat([
    Buffer.from(`${POST}\n{"author":"ada","content":"`),
    Buffer.from([0xc3, 0x28]),
    Buffer.from('","created_at":1600000000000}\n'),
  ])
  const { bad, notices, ...taken } = await readText({ edges, posts })
  expect(bad).toEqual({
    'bytes that are not UTF-8': 3,
    'not an external id': 1,
    'a byte order mark inside the file': 1,
  })
  const lines = notices.map((notice) => /^\w+\.\w+:\d+/.exec(notice)?.[0])
  expect(lines).toEqual(['edges.csv:2', 'edges.csv:4', 'edges.csv:6', 'edges.csv:7', 'posts.jsonl:2'])
  expect(taken).toMatchObject({ edges: ['ada>bob', 'bob>ada', 'ada>\ufffd'], posts: 1 })
})

test('a path that is not a regular file is refused', async () => {
  const folder = tempFolder()
  const place = (name: string) => join(folder, name)
  mkdirSync(place('folder'))
  symlinkSync(place('nowhere'), place('link'))
  execFileSync('mkfifo', [place('pipe')])
  for (const edges of [place('folder'), place('link'), place('pipe'), place('missing'), '/dev/null', '']) {
    await expect(csvSource({ edges, mutual: false, header: 'auto' })).rejects.toMatchObject({
      code: 'import_invalid',
    })
  }
})

test('a file behind a link is read', async () => {
  const folder = tempFolder()
  writeFileSync(join(folder, 'edges'), EDGES)
  symlinkSync(join(folder, 'edges'), join(folder, 'link'))
  const source = await csvSource({ edges: join(folder, 'link'), mutual: false, header: 'auto' })
  expect((await importSource(join(folder, 'data'), source)).edges.added).toBe(2)
})

test('lines keep their numbers over windows, long lines and broken ones', async () => {
  const path = join(tempFolder(), 'lines')
  const long = 'x'.repeat(RECORD_BYTES_MAX)
  const text = [
    'first',
    ...Array.from({ length: 200_000 }, (_, i) => `line ${i + 2}`),
    long,
    `${long}y`,
    '200004\r',
    '\xff',
    `${long}${long}${long}`,
    '',
    'last',
  ]
  const bytes = Buffer.from(text.join('\n'), 'latin1')
  for (const content of [bytes, gzipSync(bytes, { level: 1 }), Buffer.concat([bytes, Buffer.from('\n')])]) {
    writeFileSync(path, content)
    const lines = new Map<number, string>()
    const faults: number[] = []
    for await (const batch of readLines(path)) {
      for (const [i, line] of batch.lines.entries()) lines.set(batch.first + i, line)
      faults.push(...Array.from(batch.faults.keys(), (i) => batch.first + i))
    }
    expect(lines.size).toBe(200_008)
    expect(lines.get(150_000)).toBe('line 150000')
    expect(lines.get(200_002)?.length).toBe(RECORD_BYTES_MAX)
    expect(faults.sort()).toEqual([200_003, 200_005, 200_006])
    expect([lines.get(200_004), lines.get(200_007), lines.get(200_008)]).toEqual(['200004', '', 'last'])
  }
})
