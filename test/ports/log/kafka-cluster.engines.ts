/** Faults of a cluster of three brokers, of its own: they are killed here. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { KafkaLog } from '../../../src/ports/log/kafka.ts'
import { openEngineFolder, type Engine } from '../../../tools/engines/engine.ts'
import { kafka } from '../../../tools/engines/kafka.ts'
import { checkLoad, startLoad, type Load } from './kafka-load.ts'
import { createTopic, pause, readAll, withAdmin, type TestTopic } from './kafka-support.ts'

const path = mkdtempSync(join(tmpdir(), 'rivulet-kafka-cluster-'))
let engine: Engine
let brokers: string[]

beforeAll(async () => {
  engine = await openEngineFolder(path).up(kafka, 3, (line) => console.log(line))
  brokers = engine.nodes.map(({ host, port }) => `${host}:${port}`)
})
afterAll(async () => {
  for (const [index] of engine.nodes.entries()) engine.signal(index, 'SIGCONT')
  await engine.stop()
  rmSync(path, { recursive: true, force: true })
})

/** The index of the broker that leads the first partition. */
async function leaderOf(topic: TestTopic): Promise<number> {
  const metadata = await withAdmin(brokers, (admin) => admin.metadata({ topics: [topic.topic] }))
  const leader = metadata.brokers.get(metadata.topics.get(topic.topic)?.partitions[0].leader ?? -1)
  return engine.nodes.findIndex(({ port }) => port === leader?.port)
}

async function moreAcknowledged(load: Load, count: number): Promise<void> {
  const target = load.acknowledged.size + count
  while (load.acknowledged.size < target) await pause(20)
}

/** Counts what a consumer gets, by text, until it is closed. */
async function follow(log: KafkaLog): Promise<{ texts: Map<string, number>; close(): Promise<void> }> {
  const consumer = await log.consumer('follower')
  const texts = new Map<string, number>()
  const loop = async () => {
    for (let batch = await consumer.next(256); batch; batch = await consumer.next(256)) {
      for (const value of batch.values) {
        const text = Buffer.from(value).toString()
        texts.set(text, (texts.get(text) ?? 0) + 1)
      }
      await consumer.commit(batch.partition, batch.next)
    }
  }
  const done = loop()
  return { texts, close: async () => void (await consumer.close(), await done) }
}

async function allFollowed(texts: ReadonlyMap<string, number>, load: Load): Promise<void> {
  while ([...load.acknowledged.keys()].some((text) => !texts.has(text))) await pause(100)
}

it('loses and doubles nothing when the leader is killed, and goes on', async () => {
  const topic = await createTopic(brokers, 6, 3)
  const log = await topic.open()
  const follower = await follow(log)
  const load = startLoad(log, 60)
  await moreAcknowledged(load, 1_000)
  const leader = await leaderOf(topic)
  await engine.kill(leader)
  await moreAcknowledged(load, 3_000)
  // every partition has a leader again and takes records
  const after = load.acknowledged.size
  await Promise.all(
    Array.from({ length: 50 }, (_, key) => log.append([{ key, value: Buffer.from(`after:${key}`) }])),
  )
  expect(load.acknowledged.size).toBeGreaterThanOrEqual(after)
  await load.stop()
  expect(load.longestPauseMs + load.slowestMs).toBeGreaterThan(500)
  await allFollowed(follower.texts, load)
  console.log(`leader killed: slowest append ${load.slowestMs | 0} ms, unknown ${load.unknown.size}`)
  const stored = (await readAll(log)).filter(({ text }) => !text.startsWith('after'))
  checkLoad(load, stored)
  await engine.restart(leader)
  await follower.close()
  await log.close()
})

it('acknowledges nothing while two of three are down, and goes on when they are back', async () => {
  const topic = await createTopic(brokers, 3, 3)
  const log = await topic.open({ appendDeadlineMs: 3_000 })
  const follower = await follow(log)
  const load = startLoad(log, 20)
  await moreAcknowledged(load, 300)
  await Promise.all([engine.kill(0), engine.kill(1)])
  await pause(1_000)
  const { size } = load.acknowledged
  await pause(8_000)
  expect(load.acknowledged.size).toBe(size)
  expect(load.unknown.size + load.unavailable.size).toBeGreaterThan(20)
  await Promise.all([engine.restart(0), engine.restart(1)])
  await moreAcknowledged(load, 1_000)
  await load.stop()
  await allFollowed(follower.texts, load)
  checkLoad(load, await readAll(log))
  await follower.close()
  await log.close()
})

it('passes over a frozen broker, also when it is the first that it knows', async () => {
  const topic = await createTopic(brokers, 6, 3)
  const leader = await leaderOf(topic)
  // as the only address: the others are known from the cluster alone
  const log = await topic.open({ brokers: [brokers[leader]] })
  const load = startLoad(log, 30)
  await moreAcknowledged(load, 300)
  expect(engine.signal(leader, 'SIGSTOP')).toBe(true)
  await moreAcknowledged(load, 2_000)
  await Promise.all(
    Array.from({ length: 50 }, (_, key) => log.append([{ key, value: Buffer.from(`after:${key}`) }])),
  )
  console.log(`leader frozen: slowest append ${load.slowestMs | 0} ms, unknown ${load.unknown.size}`)
  expect(engine.signal(leader, 'SIGCONT')).toBe(true)
  // what the frozen one still held must not come in now
  await pause(3_000)
  await load.stop()
  expect(load.slowestMs + load.unknown.size).toBeGreaterThan(500)
  const stored = (await readAll(log)).filter(({ text }) => !text.startsWith('after'))
  checkLoad(load, stored)
  await log.close()
})
