/** The ports of a folder: log and store must belong together, and keys are made once. */

import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createFolderSize } from '../../../src/app/folder-size.ts'
import { openKeys } from '../../../src/app/ports/keys.ts'
import { createFolderNotes } from '../../../src/app/ports/notes.ts'
import { createSimulatedEnv } from '../../../src/ports/env/simulated.ts'
import { env, openFolder, tempFolder, withRivulet } from '../folders.ts'

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
  // The folder is closed again after the refusal.
  await rm(join(folder, 'store'), { recursive: true })
  await (await openFolder(folder)).close()
})

test('the keys of a folder are made once, readable by their owner only', async () => {
  const folder = tempFolder()
  const first = await openKeys(createFolderNotes(folder), env, undefined)
  expect(first).toMatchObject({ isNew: true, serverKeyPlace: join(folder, 'server.key') })
  expect(first.cursorSecret).not.toEqual(first.tokenSecret)
  for (const name of ['secret.key', 'server.key']) {
    expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
  }
  const again = await openKeys(createFolderNotes(folder), env, undefined)
  expect(again).toEqual({ ...first, isNew: false, isSecretNew: false })
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

test('the sizes of a folder’s log and store are measured', async () => {
  const folder = tempFolder()
  await post(folder, 20)
  const ports = await openFolder(folder)
  const figure = (name: string) => ports.figures.find((one) => one.name === name)?.read()
  const sizeOf = async (part: string) => {
    const names = (await readdir(join(folder, part))).filter(
      (name) => part !== 'log' || name.endsWith('.segment'),
    )
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, part, name))).size))
    return sizes.reduce((sum, size) => sum + size, 0)
  }
  expect(figure('rivulet_log_bytes')).toBe(await sizeOf('log'))
  await expect.poll(() => figure('rivulet_store_bytes')).toBe(await sizeOf('store'))
  await ports.close()
})

test('the size of a folder is taken now and then, however often it is read', async () => {
  const env = createSimulatedEnv({ seed: 1, startMs: 0 })
  const folder = tempFolder()
  await mkdir(join(folder, 'inner'))
  await writeFile(join(folder, 'inner', 'a'), 'x'.repeat(100))
  const read = createFolderSize(env, folder)
  expect(read()).toBeNaN()
  await expect.poll(read).toBe(100)
  await writeFile(join(folder, 'b'), 'x'.repeat(23))
  env.advance(9_000)
  expect(read()).toBe(100)
  env.advance(2_000)
  await expect.poll(read).toBe(123)
  await rm(folder, { recursive: true })
  env.advance(11_000)
  expect(read()).toBe(123)
})
