/** A deployment is moved from a folder to engines and back, and keeps all its data. */

import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { expect, inject, test } from 'vitest'
import { readConfig } from '../../src/app/config/config.ts'
import { openKeys } from '../../src/app/ports/keys.ts'
import { move } from '../../src/app/move/move.ts'
import { migratePorts, openPorts } from '../../src/app/ports/open.ts'
import type { OpenPorts } from '../../src/app/ports/parts.ts'
import type { Config } from '../../src/app/config/settings.ts'
import { createRivulet, type Rivulet } from '../../src/index.ts'
import { env, fail, tempFolder } from './folders.ts'
import { examine } from '../../src/app/doctor/doctor.ts'
import { noProgress } from '../../src/app/import/progress.ts'

const quiet = () => undefined

function configOf(data: string): { folder: Config; engines: Config } {
  const { kafka, cassandra } = inject('engines')
  const name = `t_${randomBytes(6).toString('hex')}`
  const engines = {
    kafka: `kafka://${kafka?.join(',')}`,
    kafkaTopic: name,
    kafkaPartitions: '3',
    kafkaReplication: '1',
    cassandra: `cassandra://${cassandra?.join(',')}`,
    cassandraKeyspace: name,
    cassandraReplication: '1',
  }
  const flags = { data, timelinesMib: '16' }
  return {
    folder: readConfig({ flags }).config,
    engines: readConfig({ flags: { ...flags, ...engines } }).config,
  }
}

async function withEngine<T>(
  config: Config,
  task: (rivulet: Rivulet, ports: OpenPorts) => Promise<T>,
): Promise<T> {
  const ports = await openPorts({ env, config, onFatal: fail, onNotice: quiet })
  const rivulet = createRivulet(ports, { secret: new Uint8Array(32), onFatal: fail })
  try {
    await rivulet.start()
    const result = await task(rivulet, ports)
    await rivulet.settle()
    await rivulet.stop()
    return result
  } finally {
    await ports.close()
  }
}

/** A dozen people, some of whom follow each other and post. */
async function populate({ graph, feed }: Rivulet): Promise<number[]> {
  const people: number[] = []
  for (let i = 0; i < 12; i++)
    people.push((await graph.commands.createAccount({ handle: `user${i}` })).number)
  for (const [i, follower] of people.entries())
    for (let step = 1; step <= 5; step++) await graph.commands.follow(follower, people[(i + step) % 12])
  for (let round = 0; round < 3; round++)
    for (const author of people) await feed.commands.post(author, { content: `round ${round} of ${author}` })
  await graph.commands.unfollow(people[0], people[1])
  return people
}

async function feeds({ feed }: Rivulet, people: readonly number[]): Promise<number[][]> {
  const all: number[][] = []
  for (const reader of people) {
    const page = await feed.reads.home(reader, { limit: 100 })
    expect(page.complete).toBe(true)
    all.push(page.items.map(({ id }) => id))
  }
  return all
}

test('a deployment moves to engines and back, with all its data and keys', { timeout: 240_000 }, async () => {
  const home = tempFolder()
  const { folder, engines } = configOf(join(home, 'data'))
  const options = { env, onFatal: fail, onNotice: quiet, progress: noProgress }
  const before = await withEngine(folder, async (rivulet, { notes }) => {
    const people = await populate(rivulet)
    return { people, feeds: await feeds(rivulet, people), keys: await openKeys(notes, env, undefined) }
  })
  await migratePorts({ env, config: engines, onNotice: quiet })
  const moved = await move({ ...options, config: engines, to: 'engines' })
  expect(moved.rows).toBeGreaterThan(100)
  // The old place is not served by mistake.
  await expect(withEngine(folder, async () => undefined)).rejects.toMatchObject({ code: 'config_invalid' })

  const there = await withEngine(engines, async (rivulet, { notes, log }) => {
    expect(log.epoch).toBe(2)
    expect(await openKeys(notes, env, undefined)).toMatchObject({ serverKey: before.keys.serverKey })
    expect(await feeds(rivulet, before.people)).toEqual(before.feeds)
    // New events have higher versions than all rows that were moved.
    await rivulet.graph.commands.follow(before.people[0], before.people[1])
    await rivulet.graph.commands.createAccount({ handle: 'newcomer' })
    const { id } = await rivulet.feed.commands.post(before.people[1], { content: 'from the engines' })
    await rivulet.settle()
    const page = await rivulet.feed.reads.home(before.people[0], { limit: 1 })
    expect(page.items[0].id).toBe(id)
    return feeds(rivulet, before.people)
  })
  // It cannot be moved a second time.
  await expect(move({ ...options, config: engines, to: 'engines' })).rejects.toMatchObject({
    code: 'config_invalid',
  })

  const back = { ...engines, data: join(home, 'back') }
  await move({ ...options, config: back, to: 'folder' })
  const returned = { ...folder, data: back.data }
  await withEngine(returned, async (rivulet, { log }) => {
    expect(log.epoch).toBe(3)
    expect(await feeds(rivulet, before.people)).toEqual(there)
  })
  const isWell = await examine({ ...options, config: returned, readers: 13, onFinding: quiet })
  expect(isWell).toBe(true)
})

test('a move into a place with data is refused', { timeout: 120_000 }, async () => {
  const home = tempFolder()
  const { folder, engines } = configOf(join(home, 'data'))
  await withEngine(folder, async ({ graph }) => graph.commands.createAccount({ handle: 'ann' }))
  await migratePorts({ env, config: engines, onNotice: quiet })
  await withEngine(engines, async ({ graph }) => graph.commands.createAccount({ handle: 'bob' }))
  const options = { env, onFatal: fail, onNotice: quiet, progress: noProgress }
  await expect(move({ ...options, config: engines, to: 'engines' })).rejects.toMatchObject({
    code: 'config_invalid',
  })
})

test(
  'a second keyspace for a topic with events is refused; with --rebuild, a new one gets the rows of a lost one',
  { timeout: 120_000 },
  async () => {
    const { engines } = configOf(join(tempFolder(), 'data'))
    await migratePorts({ env, config: engines, onNotice: quiet })
    // A repeated migration has nothing to do, also once there are events.
    await migratePorts({ env, config: engines, onNotice: quiet })
    const { people, before } = await withEngine(engines, async (rivulet) => {
      const made = await populate(rivulet)
      return { people: made, before: await feeds(rivulet, made) }
    })
    await migratePorts({ env, config: engines, onNotice: quiet })

    const other = { ...engines, cassandraKeyspace: `${engines.cassandraKeyspace}_2` }
    const refused = migratePorts({ env, config: other, onNotice: quiet })
    await expect(refused).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining('RIVULET_CASSANDRA_KEYSPACE'),
    })
    await expect(withEngine(other, async () => undefined)).rejects.toMatchObject({ code: 'config_invalid' })

    await migratePorts({ env, config: other, onNotice: quiet, rebuild: true })
    const after = await withEngine(other, async (rivulet) => {
      await expect(rivulet.graph.commands.createAccount({ handle: 'user3' })).rejects.toMatchObject({
        code: 'handle_taken',
      })
      return feeds(rivulet, people)
    })
    expect(after).toEqual(before)
  },
)
