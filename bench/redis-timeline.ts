/**
 * Compares timelines in Redis: our packed strings against one sorted set per timeline, on one server and through the same
 * client. All timelines are full, so that every insert has to trim. Also measures the server's CPU time and memory, and
 * reads of 400 entries.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from 'redis'
import { connectRedis } from '../src/ports/drivers/redis.ts'
import { createRealEnv } from '../src/ports/env/real.ts'
import { createRedisViews } from '../src/ports/views/redis/redis.ts'
import type { Spread } from '../src/ports/views/views.ts'
import { openEngineFolder } from '../tools/engines/engine.ts'
import { redis as redisEngine } from '../tools/engines/redis.ts'
import {
  type Bench,
  type BenchContext,
  type BenchResult,
  RUNS,
  format,
  formatSample,
  interleave,
  seconds,
} from './harness.ts'

const CAPACITY = 800
const BATCH_POSTS = 64
const OWNERS_A_POST = 200
const READ_ENTRIES = 400
const READS_AT_ONCE = 64

export const redisTimeline: Bench = {
  name: 'redis-timeline',
  describe:
    'inserts per second into timelines in Redis, against ZADD + ZREMRANGEBYRANK through the same client (goal: 4 times; memory a sixth; reads 6 times)',
  run,
}

interface Contestant {
  close(): Promise<void>
  fill(owners: number): Promise<void>
  insert(batch: readonly Spread[]): Promise<void>
  read(owner: number): Promise<number>
}

async function run({ quick, report }: BenchContext): Promise<BenchResult> {
  const owners = quick ? 2_000 : 10_000
  const posts = quick ? 512 : 2_048
  const server = await startServer()
  let packed: Contestant | undefined
  try {
    const { client } = server
    const usage = usageOf(client)
    packed = await createPacked(server.address)
    const sets = createSets(client)
    report.progress('filling')
    const bytesBefore = await usage.bytes()
    await packed.fill(owners)
    const packedBytes = (await usage.bytes()) - bytesBefore
    await sets.fill(owners)
    const setBytes = (await usage.bytes()) - bytesBefore - packedBytes

    const batches = createBatches(owners)
    const cpu = { packed: [0, 0], sets: [0, 0], packedRead: [0, 0], setsRead: [0, 0] }
    const measured = async (spent: number[], count: number, task: () => Promise<void>) => {
      const cpuBefore = await usage.cpuUs()
      const startMs = performance.now()
      await task()
      const rate = count / seconds(startMs)
      spent[0] += (await usage.cpuUs()) - cpuBefore
      spent[1] += count
      return rate
    }
    const inserting = (who: Contestant, spent: number[]) => () =>
      measured(spent, posts * OWNERS_A_POST, async () => {
        // Two batches are under way at a time, as in the worker.
        for (let left = posts; left > 0; left -= 2 * BATCH_POSTS)
          await Promise.all([who.insert(batches.next()), who.insert(batches.next())])
      })
    const reads = quick ? 4_000 : 20_000
    const reading = (who: Contestant, spent: number[]) => () =>
      measured(spent, reads, async () => {
        let left = reads
        const reader = async () => {
          while (left-- > 0)
            if ((await who.read(left % owners)) !== READ_ENTRIES) throw new Error('a short read')
        }
        await Promise.all(Array.from({ length: READS_AT_ONCE }, reader))
      })
    await inserting(packed, [0, 0])()
    const inserts = await interleave(
      { ours: inserting(packed, cpu.packed), reference: inserting(sets, cpu.sets) },
      RUNS,
      report,
    )
    const read = await interleave(
      { ours: reading(packed, cpu.packedRead), reference: reading(sets, cpu.setsRead) },
      RUNS,
      report,
    )
    const us = ([spentUs, count]: readonly number[]) => (spentUs / count).toFixed(2)
    const ratio = (ours: number, reference: number) => (ours / reference).toFixed(1)
    const entries = owners * CAPACITY
    report.table([
      ['', 'packed strings', 'sorted sets', 'ratio'],
      [
        'inserts/s',
        formatSample(inserts.ours),
        formatSample(inserts.reference),
        ratio(inserts.ours.median, inserts.reference.median),
      ],
      ['server CPU an insert, us', us(cpu.packed), us(cpu.sets), ''],
      [
        'bytes per entry, full timelines',
        (packedBytes / entries).toFixed(1),
        (setBytes / entries).toFixed(1),
        ratio(setBytes, packedBytes),
      ],
      [
        `reads/s of ${READ_ENTRIES} entries`,
        formatSample(read.ours),
        formatSample(read.reference),
        ratio(read.ours.median, read.reference.median),
      ],
      ['server CPU a read, us', us(cpu.packedRead), us(cpu.setsRead), ''],
    ])
    report.line(`${format(owners)} timelines of ${CAPACITY}, ${OWNERS_A_POST} owners per post, one server`)
    return {
      ours: inserts.ours.median,
      reference: inserts.reference.median,
      ratio: inserts.ours.median / inserts.reference.median,
      unit: 'inserts/s',
      runs: RUNS,
    }
  } finally {
    await packed?.close()
    await server.stop()
  }
}

type Client = ReturnType<typeof newClient>
/** Deadlines in the client cost a signal and a timer per command. Ours has none, so the reference has none either. */
const newClient = (address: string) =>
  createClient({ url: `redis://${address}`, commandOptions: { timeout: undefined } as object })

async function startServer() {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-bench-'))
  const engine = await openEngineFolder(folder).up(redisEngine, 1, () => undefined)
  const [{ host, port }] = engine.nodes
  const address = `${host}:${port}`
  const client = newClient(address)
  await client.connect()
  return {
    address,
    client,
    async stop() {
      client.destroy()
      await engine.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const usageOf = (client: Client) => ({
  bytes: async () => Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]),
  async cpuUs() {
    const info = await client.info('cpu')
    const part = (name: string) => Number(new RegExp(`used_cpu_${name}:([\\d.]+)`).exec(info)?.[1])
    return (part('sys') + part('user')) * 1e6
  },
})

const idOf = (n: number): number => 2 ** 40 + n

/** Both get the same posts; their ids continue after those that filled the timelines. */
function createBatches(owners: number) {
  let post = CAPACITY
  const next = (): Spread[] =>
    Array.from({ length: BATCH_POSTS }, () => {
      const id = idOf(++post)
      const first = (post * 7_919) % owners
      const list = Uint32Array.from({ length: OWNERS_A_POST }, (_, i) => (first + i * 13) % owners)
      return { id, ref: post % owners, kind: 0, owners: list }
    })
  return { next }
}

async function createPacked(address: string): Promise<Contestant> {
  const env = createRealEnv()
  const redis = await connectRedis({ env, nodes: [address], onNotice: () => undefined })
  const views = createRedisViews({ env, redis, prefix: 'rv:', capacity: CAPACITY, lanes: 1 })
  return {
    close: () => redis.close(),
    async fill(owners) {
      const entries = {
        length: CAPACITY,
        ids: Float64Array.from({ length: CAPACITY }, (_, i) => idOf(CAPACITY - i)),
        refs: new Uint32Array(CAPACITY),
        kinds: new Uint16Array(CAPACITY),
      }
      for (let from = 0; from < owners; from += 500) {
        const part = Array.from({ length: Math.min(500, owners - from) }, (_, i) => from + i)
        const epochs = await views.open(part)
        await Promise.all(part.map((owner, i) => views.merge(owner, epochs[i], entries)))
        await Promise.all(part.map((owner, i) => views.settle(owner, epochs[i], 0)))
      }
    },
    insert: async (batch) => void (await views.insert(batch)),
    read: async (owner) => (await views.range(owner, Infinity, READ_ENTRIES))?.entries.length ?? 0,
  }
}

function createSets(client: Client): Contestant {
  const key = (owner: number) => `set:${owner}`
  return {
    close: async () => undefined,
    async fill(owners) {
      const members = Array.from({ length: CAPACITY }, (_, i) => ({
        score: idOf(i + 1),
        value: String(idOf(i + 1)),
      }))
      for (let owner = 0; owner < owners; owner++) await client.zAdd(key(owner), members)
    },
    async insert(batch) {
      const pipeline = client.multi()
      for (const { id, owners } of batch) {
        const member = { score: id, value: String(id) }
        for (const owner of owners) {
          pipeline.zAdd(key(owner), member)
          pipeline.zRemRangeByRank(key(owner), 0, -(CAPACITY + 1))
        }
      }
      await pipeline.execAsPipeline()
    },
    read: async (owner) => (await client.zRange(key(owner), 0, READ_ENTRIES - 1, { REV: true })).length,
  }
}
