/** The ports of a folder: they must tell one story, and the folder's keys must stay its own. */

import { cp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openKeys } from '../../src/app/keys.ts'
import { createFolderNotes } from '../../src/app/notes.ts'
import { env, openFolder, tempFolder, withRivulet } from './folders.ts'

async function post(folder: string, count: number): Promise<void> {
  await withRivulet(folder, async ({ graph, feed }) => {
    const { number } = await graph.commands.createAccount({})
    for (let i = 0; i < count; i++) await feed.commands.post(number, { content: `post ${i}` })
  })
}

test('a log that is older than the store is refused', async () => {
  const folder = tempFolder()
  await post(folder, 3)
  await cp(join(folder, 'log'), join(folder, 'old-log'), { recursive: true })
  await post(folder, 3)
  await rm(join(folder, 'log'), { recursive: true })
  await cp(join(folder, 'old-log'), join(folder, 'log'), { recursive: true })
  await expect(openFolder(folder)).rejects.toMatchObject({
    code: 'data_corrupt',
    message: expect.stringMatching(
      /the store holds events up to position \d+, but the log ends at \d+: .*one backup$/,
    ),
  })
  // What was refused is closed again.
  await rm(join(folder, 'store'), { recursive: true })
  await (await openFolder(folder)).close()
})

test('the keys of a folder are made once, for its owner alone', async () => {
  const folder = tempFolder()
  const first = await openKeys(createFolderNotes(folder), env, undefined)
  expect(first).toMatchObject({ isNew: true, serverKeyPlace: join(folder, 'server.key') })
  expect(first.cursorSecret).not.toEqual(first.tokenSecret)
  for (const name of ['secret.key', 'server.key']) {
    expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
  }
  const again = await openKeys(createFolderNotes(folder), env, undefined)
  expect(again).toEqual({ ...first, isNew: false })
  const configured = await openKeys(createFolderNotes(folder), env, 'a key of the operator')
  expect(configured).toMatchObject({
    serverKey: 'a key of the operator',
    serverKeyPlace: undefined,
    isNew: false,
  })
  expect(await readFile(join(folder, 'server.key'), 'utf8')).toBe(`${first.serverKey}\n`)
})

test('a damaged key is not replaced', async () => {
  const folder = tempFolder()
  await writeFile(join(folder, 'secret.key'), 'half a ke')
  await expect(openKeys(createFolderNotes(folder), env, undefined)).rejects.toMatchObject({
    code: 'data_corrupt',
    message: expect.stringContaining('secret.key is damaged; restore it'),
  })
})
