/** A fan-out over members of channels, by the plan, chunks, lanes, receipts and marks that the home feed has as well. */

import { expect, test } from 'vitest'
import { RivuletError } from '../../../src/core/errors.ts'
import { edgeBucket, SHARES } from '../../../src/engine/fanout/policy.ts'
import { createRealEnv } from '../../../src/ports/env/real.ts'
import { createMemoryDisk as createLogDisk, createMemoryLog } from '../../../src/ports/log/memory/memory.ts'
import { createMemoryDisk, createMemoryStore } from '../../../src/ports/store/memory/memory.ts'
import type { RowWrite } from '../../../src/ports/store/store.ts'
import { createMemoryViews } from '../../../src/ports/views/memory/memory.ts'
import {
  channelsView,
  createChannels,
  DIRECT_MAX,
  fanoutTables,
  mailTable,
  otherView,
  type Channels,
  type ChannelsOptions,
} from '../../support/channels.ts'

const env = createRealEnv()
const CHANNEL = 5_000_000_000_001
const SMALL = 5_000_000_000_002
const MEMBERS = Array.from({ length: 1_200 }, (_, i) => i + 1)
const ONLINE = MEMBERS.filter((member) => member % 3 === 0)
const bytesMax = 16 * 2 ** 20

/** A log, a store and timelines that outlive the process. */
function createWorld() {
  const [logDisk, storeDisk] = [createLogDisk(), createMemoryDisk()]
  const views = createMemoryViews({ bytesMax, capacity: channelsView.capacity, lanes: 2 })
  return {
    views,
    async boot(options: ChannelsOptions = {}) {
      const log = createMemoryLog({ env, partitions: 2, disk: logDisk })
      const store = createMemoryStore({ env, disk: storeDisk })
      const home = createMemoryViews({ bytesMax, lanes: 2 })
      const channels = createChannels({ env, log, store, views: home }, { views, ...options })
      await channels.engine.start()
      return { channels, log, store }
    },
  }
}

const never = () => new Promise<void>(() => undefined)

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await env.yield()
}

const claimable = ({ engine }: Channels, name: string): number =>
  engine.views.find(({ spec }) => spec.name === name)!.horizon.claimable()

async function mailOf({ engine: { store } }: Channels, members: readonly number[]): Promise<number[][]> {
  const pages = await store.range(
    members.map((member) => ({
      table: mailTable,
      partition: mailTable.key(member, 0).partition,
      from: '',
      limit: 100,
    })),
  )
  return pages.map((rows) => rows.map(({ version }) => version))
}

test('killed in the middle, a fan-out goes on: every member is served, and nothing is twice in effect', async () => {
  const world = createWorld()
  let served = 0
  // 120 chunks of 10 members in two lanes; progress is saved every 64 chunks.
  const first = await world.boot({
    beforeServe: () => (served >= 180 ? never() : (served++, Promise.resolve())),
  })
  await world.views.open(MEMBERS)
  await first.channels.join(CHANNEL, MEMBERS)
  await first.channels.engine.settle()
  const id = await first.channels.send(CHANNEL, 7)
  await until(() => served === 180)
  const before = (await first.channels.fanout.receipt(id))!
  expect(before).toMatchObject({ id, key: CHANNEL, planned: MEMBERS.length, doneAtMs: 0 })
  expect(before.done).toBeGreaterThan(ONLINE.length)
  expect(before.done).toBeLessThan(MEMBERS.length)
  expect(first.channels.fanout.runner.openPlans).toBe(1)
  // Its own view waits for it, and no other does.
  await until(() => claimable(first.channels, otherView.name) >= id)
  expect(claimable(first.channels, channelsView.name)).toBeLessThan(id)
  first.log.crash()

  let again = 0
  let isHeld = true
  const second = await world.boot({
    // In this process others would be online. The plan keeps to what it began with.
    everyNth: 7,
    beforeServe: async ([{ owners }]) => {
      again += owners.length
      while (isHeld) await env.yield()
    },
  })
  await until(() => claimable(second.channels, otherView.name) >= id)
  expect(claimable(second.channels, channelsView.name)).toBeLessThan(id)
  isHeld = false
  await second.channels.engine.settle()
  await until(() => claimable(second.channels, channelsView.name) >= id)
  const receipt = await second.channels.fanout.receipt(id)
  expect(receipt).toMatchObject({
    planned: MEMBERS.length,
    done: MEMBERS.length,
    skipped: 0,
    lanes: [ONLINE.length, MEMBERS.length - ONLINE.length],
  })
  expect(receipt!.doneAtMs).toBeGreaterThan(0)
  expect(again).toBeLessThanOrEqual(MEMBERS.length)
  for (const mail of await mailOf(second.channels, MEMBERS)) expect(mail).toEqual([id])
  for (const member of MEMBERS) {
    const page = (await world.views.range(member, Infinity, 10))!
    expect(Array.from(page.entries.ids.subarray(0, page.entries.length))).toEqual([id])
  }
  expect([...first.channels.fatal, ...second.channels.fatal]).toEqual([])
  await second.channels.engine.stop()

  const third = await world.boot({ beforeServe: () => Promise.reject(new Error('all is done')) })
  await third.channels.engine.settle()
  expect(third.channels.fatal).toEqual([])
  expect(third.channels.fanout.runner.openPlans).toBe(0)
  expect(await third.channels.fanout.receipt(id)).toEqual(receipt)
  await third.channels.engine.stop()
})

test('a plan serves lane by lane, and those who join meanwhile disturb it nowhere', async () => {
  const owners: number[][] = []
  const { channels } = await createWorld().boot({
    beforeServe: async (pieces) => {
      for (const piece of pieces) if (piece.owners.length > 0) owners.push([...piece.owners])
      if (owners.length === 1) await channels.join(CHANNEL, [1_500, 1_501])
    },
  })
  await channels.join(CHANNEL, MEMBERS)
  await channels.send(CHANNEL)
  await channels.engine.settle()
  const all = owners.flat()
  expect(all.slice(0, ONLINE.length)).toEqual(ONLINE)
  expect(all.filter((member) => member <= MEMBERS.length)).toHaveLength(MEMBERS.length)
  expect(new Set(all).size).toBe(all.length)
  await channels.engine.stop()
})

test('an ordinary audience is served with its batch, and needs no plan', async () => {
  const { channels } = await createWorld().boot()
  const members = MEMBERS.slice(0, DIRECT_MAX)
  await channels.join(SMALL, members)
  const ids = [await channels.send(SMALL, 1), await channels.send(SMALL, 2)]
  await channels.engine.settle()
  for (const mail of await mailOf(channels, members)) expect(mail).toEqual(ids)
  expect(await channels.fanout.receipt(ids[0])).toMatchObject({
    planned: DIRECT_MAX,
    done: DIRECT_MAX,
    lanes: [6, 14],
    tier: 0,
    doneChunks: [],
  })
  expect(channels.fanout.stats).toMatchObject({ events: 2, served: 2 * DIRECT_MAX, chunks: 6 })
  await channels.engine.stop()
})

test('members beyond the share are not served, and find the mark of the channel', async () => {
  const { channels } = await createWorld().boot({
    beforeServe: async ([{ id }]) =>
      expect(channels.marks.of(CHANNEL, SHARES - 1)).toBeGreaterThanOrEqual(id),
  })
  await channels.join(CHANNEL, MEMBERS)
  await channels.setTier(CHANNEL, 0, 3)
  const shared = await channels.send(CHANNEL)
  await channels.engine.settle()
  const mail = await mailOf(channels, MEMBERS)
  MEMBERS.forEach((member, i) => {
    const bucket = edgeBucket(member, CHANNEL)
    expect(mail[i]).toEqual(bucket < 3 ? [shared] : [])
    expect(channels.marks.of(CHANNEL, bucket)).toBe(bucket < 3 ? 0 : shared)
  })
  await channels.setTier(CHANNEL, 2, SHARES)
  const pulled = await channels.send(CHANNEL)
  await channels.engine.settle()
  expect(channels.marks.of(CHANNEL, 0)).toBe(pulled)
  expect(await channels.fanout.receipt(pulled)).toMatchObject({ tier: 1, planned: 0, lanes: [0, 0] })
  expect(channels.fatal).toEqual([])
  await channels.engine.stop()
})

test('where receipts are not kept, only plans have one, and it ends with the plan', async () => {
  const { channels, store } = await createWorld().boot({ receipts: 'while open' })
  const written: RowWrite[] = []
  const write = store.write.bind(store)
  store.write = (rows) => {
    written.push(...rows.filter(({ table }) => table === fanoutTables.receipts))
    return write(rows)
  }
  await channels.join(SMALL, MEMBERS.slice(0, DIRECT_MAX))
  await channels.join(CHANNEL, MEMBERS)
  const [small, large] = [await channels.send(SMALL), await channels.send(CHANNEL)]
  await channels.engine.settle()
  expect(await channels.fanout.receipt(small)).toBeUndefined()
  expect(await channels.fanout.receipt(large)).toMatchObject({ done: MEMBERS.length })
  expect(written.length).toBeGreaterThan(1)
  const last = written.pop()!
  expect(written.every(({ expiresAtMs }) => expiresAtMs === undefined)).toBe(true)
  expect(last.expiresAtMs).toBeGreaterThan(env.wallMs() + 29 * 86_400_000)
  await channels.engine.stop()
})

test('chunks wait while the lag is high, and go on when it has fallen', async () => {
  let lag = 11
  let served = 0
  let asked = 0
  const { channels } = await createWorld().boot({
    pace: { lagEventsHigh: 10, lagEvents: () => (asked++, lag), fromLane: 0 },
    beforeServe: async () => void served++,
  })
  await channels.join(CHANNEL, MEMBERS)
  const id = await channels.send(CHANNEL)
  await until(() => asked > 3)
  expect(served).toBe(0)
  expect(channels.fanout.runner.openPlans).toBe(1)
  lag = 10
  await channels.engine.settle()
  expect(await channels.fanout.receipt(id)).toMatchObject({ done: MEMBERS.length })
  await channels.engine.stop()
})

test('a chunk that fails for a while is served again, and only that one', async () => {
  let failures = 2
  const owners: number[] = []
  const { channels } = await createWorld().boot({
    async beforeServe([piece]) {
      if (owners.length > 300 && failures-- > 0) throw new RivuletError('unavailable', 'an engine is away')
      owners.push(...piece.owners)
    },
  })
  await channels.join(CHANNEL, MEMBERS)
  const id = await channels.send(CHANNEL)
  await channels.engine.settle()
  expect(owners.toSorted((a, b) => a - b)).toEqual(MEMBERS)
  expect(await channels.fanout.receipt(id)).toMatchObject({ done: MEMBERS.length })
  await channels.engine.stop()
})
