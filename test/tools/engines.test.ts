/** Engines belong to the checkout that started them. */

import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import {
  ENGINE_NAMES,
  folderOfCheckout,
  openEngineFolder,
  type EngineDefinition,
} from '../../tools/engines/engine.ts'
import { isAlive } from '../../tools/engines/processes.ts'

/** A process that does nothing, in place of an engine. */
const idle: EngineDefinition = {
  name: 'redis',
  async prepare(folder) {
    const own = join(folder, 'redis-1')
    mkdirSync(own, { recursive: true })
    const command = ['sleep', '300']
    return [{ name: 'redis-1', host: '127.0.0.1', port: 1, folder: own, logFile: join(own, 'log'), command }]
  },
  ready: () => Promise.resolve(),
  settings: () => ({}),
}

const purpose = `engines-of-test-${process.pid}`
const folders = ['/srv/one', '/srv/two'].map((root) => folderOfCheckout(purpose, root))
afterAll(async () => {
  for (const path of folders) {
    await openEngineFolder(path).find(idle)?.stop()
    rmSync(path, { recursive: true, force: true })
  }
})

test('two checkouts neither find, end nor wipe each other’s engines', async () => {
  const [one, two] = folders.map((path) => openEngineFolder(path))
  const silent = () => undefined
  const [ofOne] = (await one.up(idle, 1, silent)).nodes
  expect(two.find(idle)).toBeUndefined()
  const [ofTwo] = (await two.up(idle, 1, silent)).nodes
  expect(ofTwo.process?.pid).not.toBe(ofOne.process?.pid)
  await two.find(idle)?.stop()
  for (const name of ENGINE_NAMES) two.wipe(name)
  expect([isAlive(ofOne), isAlive(ofTwo)]).toEqual([true, false])
  expect(one.find(idle)?.nodes).toEqual([ofOne])
})

test('a checkout finds its own again', () => {
  expect(folderOfCheckout(purpose, '/srv/one')).toBe(folders[0])
  expect(openEngineFolder(folderOfCheckout('engines')).path).toBe(folderOfCheckout('engines'))
})
