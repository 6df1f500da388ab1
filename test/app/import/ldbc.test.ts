/** The files of the LDBC benchmark obey the same rules as other files. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { ldbcSource } from '../../../src/app/import/ldbc.ts'
import { describeWorld, importSource, tempFolder } from '../folders.ts'

const PERSON = 'id|firstName|lastName|creationDate'
const KNOWS = 'Person.id|Person.id|creationDate'
const POST = 'id|imageFile|creationDate|content|creator'
const AT = '2010-11-25T05:58:53.756+0000'

function writeWorld(files: Record<string, readonly (string | Buffer)[]>): string {
  const folder = tempFolder()
  mkdirSync(join(folder, 'dynamic'))
  for (const [name, lines] of Object.entries(files)) {
    const bytes = lines.flatMap((line) => [Buffer.from(line), Buffer.from('\n')])
    writeFileSync(join(folder, 'dynamic', name), Buffer.concat(bytes))
  }
  return folder
}

test('invalid rows are reported with their lines; files without rows are allowed', async () => {
  const broken = Buffer.concat([Buffer.from('4|Jos'), Buffer.from([0xe9]), Buffer.from(`|A|${AT}`)])
  const folder = writeWorld({
    'person_0_0.csv': [
      PERSON,
      `1|Ada|L|${AT}`,
      `2|${'x'.repeat(101)}|L|${AT}`,
      `1|Eve|L|${AT}`,
      broken,
      `5|\u200b||${AT}`,
      `6|||${AT}`,
    ],
    'person_1_0.csv': [PERSON],
    'person_knows_person_0_0.csv': [KNOWS, `1|6|${AT}`, `1|6`, `6|6|${AT}`],
    'person_knows_person_1_0.csv': [KNOWS],
    'post_0_0.csv': [
      POST,
      `10||${AT}|yes|1`,
      '11||2010-02-30T05:58:53.756+0000|no|1',
      '12||2010-11-25T24:00:00.000+0000|no|1',
      '13||2010-11-25T05:58:53.756|no|1',
      `14|photo.jpg|${AT.replace('+0000', '+00:00')}||6`,
      `15||${AT}|\u3164|1`,
      '',
    ],
  })
  const data = tempFolder()
  const { accounts, edges, posts, bad, noted, notices } = await importSource(data, await ldbcSource(folder))
  expect([accounts.created, edges.added, posts.added]).toEqual([2, 2, 2])
  expect(bad).toEqual({
    'not a display name': 2,
    'the same person once more': 1,
    'bytes that are not UTF-8': 1,
    'wrong number of columns': 1,
    'self-loop': 1,
    'not a post': 4,
  })
  expect(noted).toEqual({ 'blank line': 1 })
  expect(notices.map((notice) => /^\w+\.csv:\d+/.exec(notice)?.[0])).toEqual([
    ...[3, 4, 5, 6].map((line) => `person_0_0.csv:${line}`),
    ...[3, 4].map((line) => `person_knows_person_0_0.csv:${line}`),
    ...[3, 4, 5, 7, 8].map((line) => `post_0_0.csv:${line}`),
  ])
  expect((await describeWorld(data)).posts).toHaveLength(2)
})

test.each<[string, Record<string, string[]>]>([
  ['no rows at all', { 'person_0_0.csv': [PERSON], 'post_0_0.csv': [POST] }],
  ['a file of bad rows', { 'person_0_0.csv': [PERSON, `1|Ada|L|${AT}`], 'post_0_0.csv': [POST, '1|2'] }],
  ['a header in one cell', { 'person_knows_person_0_0.csv': ['Person.id,Person.id', '1,2'] }],
  ['no files', {}],
])('the whole import is refused: %s', async (_name, files) => {
  const data = tempFolder()
  const imported = (async () => importSource(data, await ldbcSource(writeWorld(files))))()
  await expect(imported).rejects.toMatchObject({ code: 'import_invalid' })
  expect((await describeWorld(data)).people).toEqual({})
})

test('its files may be gzipped, with names that end in .gz', async () => {
  const folder = writeWorld({ 'person_knows_person_0_0.csv': [KNOWS, `1|2|${AT}`] })
  const gzipped = (name: string, lines: readonly string[]) =>
    writeFileSync(join(folder, 'dynamic', name), gzipSync(lines.join('\n')))
  gzipped('person_0_0.csv.gz', [PERSON, `1|Ada|L|${AT}`, `2|Bob|M|${AT}`])
  gzipped('post_0_0.csv.gz', [POST, `10||${AT}|yes|1`])
  const { accounts, edges, posts } = await importSource(tempFolder(), await ldbcSource(folder))
  expect([accounts.created, edges.added, posts.added]).toEqual([2, 2, 1])
})
