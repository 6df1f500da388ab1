/** A cluster that loses a primary under load: a timeline that it then returns is whole, or its header says that it is not. */

import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ID_MAX } from '../../../../src/core/ids.ts'
import { connectRedis, type Redis } from '../../../../src/ports/drivers/redis.ts'
import { createRealEnv } from '../../../../src/ports/env/real.ts'
import { fromEntries } from '../../../../src/ports/views/conformance/model.ts'
import { createRedisViews, GROUPS } from '../../../../src/ports/views/redis/redis.ts'
import { openEngineFolder, type Engine } from '../../../../tools/engines/engine.ts'
import { redis as redisEngine } from '../../../../tools/engines/redis.ts'
import { freshPrefix } from '../../../support/redis.ts'

const env = createRealEnv()
const folder = openEngineFolder(join(tmpdir(), `rivulet-redis-cluster-${process.pid}`))
let engine: Engine
let redis: Redis

beforeAll(async () => {
  engine = await folder.up(redisEngine, 3, () => undefined)
  const nodes = engine.nodes.map(({ host, port }) => `${host}:${port}`)
  redis = await connectRedis({ env, nodes, onNotice: () => undefined })
})
afterAll(async () => {
  await redis.close()
  await engine.stop()
  folder.wipe('redis')
})

const [LANE, LANES] = [1, 2]
const OWNERS = Uint32Array.from({ length: GROUPS }, (_, owner) => owner)

/** Inserts one entry after the other into every timeline, until told to stop. */
function startLoad(prefix: string) {
  const views = createRedisViews({ env, redis, prefix, capacity: 800, lanes: LANES })
  let last = 0
  let longestMs = 0
  let isEnding = false
  async function run(): Promise<void> {
    const epochs = await views.open([...OWNERS])
    await Promise.all(epochs.map((epoch, owner) => views.settle(owner, epoch, 0)))
    while (!isEnding) {
      const startMs = performance.now()
      await views.insert([{ id: last + 1, ref: 1, kind: 0, owners: OWNERS }])
      await views.advance(new Map([[LANE, last + 1]]))
      last++
      longestMs = Math.max(longestMs, performance.now() - startMs)
    }
  }
  const running = run()
  return {
    views,
    last: () => last,
    longestMs: () => longestMs,
    async end() {
      isEnding = true
      await running
    },
  }
}

async function until(isDone: () => boolean, withinMs: number): Promise<void> {
  const endMs = performance.now() + withinMs
  while (!isDone()) {
    if (performance.now() > endMs) throw new Error('it took too long')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Chooses a node that is a primary now and has a replica. */
async function aPrimary(): Promise<number> {
  for (const [index, { host, port }] of engine.nodes.entries()) {
    const client = createClient({ socket: { host, port } })
    await client.connect()
    const info = await client.info('replication')
    client.destroy()
    if (/role:master/.test(info) && /connected_slaves:[1-9]/.test(info)) return index
  }
  throw new Error('no primary has a replica')
}

describe('redis views on a cluster', () => {
  for (const fault of ['killed', 'frozen'] as const) {
    it(`shows nothing that is not whole after a primary was ${fault}`, async () => {
      const load = startLoad(freshPrefix())
      await until(() => load.last() > 20, 20_000)
      const victim = await aPrimary()
      const before = load.last()
      if (fault === 'killed') await engine.kill(victim)
      else engine.signal(victim, 'SIGSTOP')
      await until(() => load.last() > before + 50, 60_000)
      if (fault === 'killed') await engine.restart(victim)
      else engine.signal(victim, 'SIGCONT')
      await load.end()
      const { views } = load
      let whole = 0
      for (const owner of OWNERS) {
        const page = await views.range(owner, ID_MAX, 800)
        // Lost, or behind the horizon: readers notice and rebuild it.
        if (page === undefined || page.header.horizons[LANE] < load.last()) continue
        const ids = fromEntries(page.entries).map(({ id }) => id)
        expect(ids).toEqual(Array.from({ length: Math.min(800, load.last()) }, (_, i) => load.last() - i))
        whole++
      }
      // The fault happened, and most groups were kept.
      expect(load.longestMs()).toBeGreaterThan(500)
      expect(whole).toBeGreaterThan(GROUPS / 2)
      console.log(
        `${fault}: longest call ${Math.round(load.longestMs())} ms, whole ${whole} of ${GROUPS}`,
        views.groups,
      )
      await views.close()
    })
  }
})

it('serves every slot again, with new connections, while a primary stays frozen', async () => {
  const keys = Array.from({ length: 40 }, (_, i) => `${freshPrefix()}${i}`)
  const isServed = (key: string) =>
    redis.send(key, ['SET', key, 'x']).then(
      () => true,
      () => false,
    )
  await eventually(async () => (await Promise.all(keys.map(isServed))).every(Boolean))
  const victim = await aPrimary()
  expect(engine.signal(victim, 'SIGSTOP')).toBe(true)
  try {
    expect((await Promise.all(keys.map(isServed))).every(Boolean)).toBe(false)
    await eventually(async () => (await Promise.all(keys.map(isServed))).every(Boolean))
  } finally {
    engine.signal(victim, 'SIGCONT')
  }
})

async function eventually(isDone: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 60_000
  while (!(await isDone())) {
    if (performance.now() > endMs) throw new Error('it took too long')
  }
}
