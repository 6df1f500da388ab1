/** Faults of a cluster of three brokers. These tests have a cluster of their own, because they kill its brokers. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FindCoordinatorKeyTypes } from '@platformatic/kafka'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { KafkaLog } from '../../../../src/ports/log/kafka/kafka.ts'
import type { LogCursor } from '../../../../src/ports/log/log.ts'
import { openEngineFolder, type Engine } from '../../../../tools/engines/engine.ts'
import { kafka } from '../../../../tools/engines/kafka.ts'
import { checkLoad, startLoad, type Load } from './load.ts'
import { createTopic, pause, readAll, withAdmin, type Stored, type TestTopic } from './support.ts'

const GROUP = 'follower'
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

/** @returns the index of the broker that coordinates the group; it leads partitions of the topic, too */
async function coordinatorOf(topic: TestTopic): Promise<number> {
  const [{ nodeId, port }] = await withAdmin(brokers, (admin) =>
    admin.findCoordinator({ keyType: FindCoordinatorKeyTypes.GROUP, keys: [GROUP] }),
  )
  const metadata = await withAdmin(brokers, (admin) => admin.metadata({ topics: [topic.topic] }))
  expect(metadata.topics.get(topic.topic)?.partitions.some(({ leader }) => leader === nodeId)).toBe(true)
  return engine.nodes.findIndex((node) => node.port === port)
}

async function moreAcknowledged(load: Load, count: number): Promise<void> {
  const target = load.acknowledged.size + count
  while (load.acknowledged.size < target) await pause(20)
}

/** Collects the records that both a consumer and a follower receive, until they are closed. */
async function follow(log: KafkaLog): Promise<{ texts: Set<string>; close(): Promise<void> }> {
  const [consumer, follower] = [await log.consumer(GROUP), await log.follow()]
  for (let partition = 0; partition < log.partitions; partition++) await follower.seek(partition, 0)
  const got = [new Set<string>(), new Set<string>()]
  const texts = new Set<string>()
  const read = async (cursor: LogCursor, own: Set<string>) => {
    for (let batch = await cursor.next(256); batch; batch = await cursor.next(256)) {
      for (const value of batch.values) {
        const text = Buffer.from(value).toString()
        own.add(text)
        if (got.every((one) => one.has(text))) texts.add(text)
      }
      if (cursor === consumer) await consumer.commit(batch.partition, batch.next)
    }
  }
  const loops = [read(consumer, got[0]), read(follower, got[1])]
  const close = async () => {
    await Promise.all([consumer.close(), follower.close()])
    await Promise.all(loops)
  }
  return { texts, close }
}

async function allFollowed(texts: ReadonlySet<string>, load: Load): Promise<void> {
  while ([...load.acknowledged.keys()].some((text) => !texts.has(text))) await pause(100)
}

/** Appends to every partition. */
const appendEverywhere = (log: KafkaLog) =>
  Promise.all(
    Array.from({ length: 50 }, (_, key) => log.append([{ key, value: Buffer.from(`after:${key}`) }])),
  )

const ofLoad = (stored: readonly Stored[]) => stored.filter(({ text }) => !text.startsWith('after'))

it('loses and doubles nothing when a leader and coordinator is killed, and goes on', async () => {
  const topic = await createTopic(brokers, 6, 3)
  const log = await topic.open()
  const follower = await follow(log)
  const load = startLoad(log, 60)
  await moreAcknowledged(load, 1_000)
  await allFollowed(follower.texts, load)
  const victim = await coordinatorOf(topic)
  await engine.kill(victim)
  await moreAcknowledged(load, 3_000)
  await appendEverywhere(log)
  await load.stop()
  await allFollowed(follower.texts, load)
  expect(load.slowestMs + load.unknown.size, 'nothing was in the way').toBeGreaterThan(500)
  console.log(`leader killed: slowest append ${load.slowestMs | 0} ms, unknown ${load.unknown.size}`)
  checkLoad(load, ofLoad(await readAll(log)))
  await engine.restart(victim)
  await follower.close()
  await log.close()
})

it('acknowledges nothing while two or three of three are down, and goes on when they are back', async () => {
  const topic = await createTopic(brokers, 3, 3)
  const log = await topic.open({ appendDeadlineMs: 3_000 })
  const follower = await follow(log)
  const load = startLoad(log, 20)
  await moreAcknowledged(load, 300)
  await Promise.all([engine.kill(0), engine.kill(1)])
  await pause(1_000)
  const { size } = load.acknowledged
  await pause(6_000)
  expect(load.acknowledged.size).toBe(size)
  expect(load.unknown.size + load.unavailable.size).toBeGreaterThan(20)
  await engine.kill(2)
  const unavailable = load.unavailable.size
  await pause(5_000)
  expect(load.unavailable.size).toBeGreaterThan(unavailable)
  await expect(log.bounds()).rejects.toMatchObject({ code: 'unavailable' })
  await Promise.all([0, 1, 2].map((index) => engine.restart(index)))
  await moreAcknowledged(load, 1_000)
  await load.stop()
  await allFollowed(follower.texts, load)
  checkLoad(load, await readAll(log))
  await follower.close()
  await log.close()
})

it('passes over a frozen broker, also when it is the only one that was configured', async () => {
  const topic = await createTopic(brokers, 6, 3)
  const victim = await coordinatorOf(topic)
  const log = await topic.open({ brokers: [brokers[victim]] })
  const follower = await follow(log)
  const load = startLoad(log, 30)
  await moreAcknowledged(load, 300)
  await allFollowed(follower.texts, load)
  expect(engine.signal(victim, 'SIGSTOP')).toBe(true)
  await moreAcknowledged(load, 2_000)
  await appendEverywhere(log)
  const { size } = follower.texts
  while (follower.texts.size < size + 500) await pause(100)
  console.log(`leader frozen: slowest append ${load.slowestMs | 0} ms, unknown ${load.unknown.size}`)
  expect(engine.signal(victim, 'SIGCONT')).toBe(true)
  // Records that the frozen broker still held must not enter the log now.
  await pause(3_000)
  await load.stop()
  await allFollowed(follower.texts, load)
  expect(load.slowestMs + load.unknown.size, 'nothing was in the way').toBeGreaterThan(500)
  checkLoad(load, ofLoad(await readAll(log)))
  await follower.close()
  await log.close()
})
