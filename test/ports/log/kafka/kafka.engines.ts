import { afterEach, describe, expect, inject, it } from 'vitest'
import type { RivuletError } from '../../../../src/core/errors.ts'
import { logConformance } from '../../../../src/ports/log/conformance.ts'
import { migrateKafka } from '../../../../src/ports/log/kafka/topics.ts'
import type { LogConsumer } from '../../../../src/ports/log/log.ts'
import { kafka } from '../../../../tools/engines/kafka.ts'
import { testEngines } from '../../../support/engines-up.ts'
import { checkLoad, startLoad } from './load.ts'
import { createTopic, env, pause, readAll, withAdmin, type TestTopic } from './support.ts'

const brokers = inject('engines').kafka ?? []

for (const partitions of [1, 3]) {
  logConformance({
    name: `Kafka, ${partitions} partition(s)`,
    supports: { overload: true },
    async create() {
      const topic = await createTopic(brokers, partitions)
      return { open: () => topic.open({ queuedBytesMax: 20_000_000 }), remove: () => topic.remove() }
    },
  })
}

describe('the Kafka log', () => {
  let topic: TestTopic | undefined
  const closing: { close(): Promise<void> }[] = []
  const openTopic = async (partitions: number) => (topic = await createTopic(brokers, partitions))
  const opened = <T extends { close(): Promise<void> }>(resource: T): T => {
    closing.unshift(resource)
    return resource
  }
  afterEach(async () => {
    for (const resource of closing.splice(0)) await resource.close()
    await topic?.remove()
    topic = undefined
  })

  it('holds 2,000 concurrent appends once each, at the positions told, rising by key', async () => {
    const log = opened(await (await openTopic(6)).open())
    const calls = Array.from({ length: 2_000 }, (_, n) =>
      log.append([{ key: n % 40, value: Buffer.from(`${n % 40}:${n}`) }]),
    )
    const positions = (await Promise.all(calls)).flat()
    const stored = await readAll(log)
    expect(stored).toHaveLength(2_000)
    expect(new Set(stored.map(({ partition }) => partition)).size).toBe(6)
    for (const { text, partition, position } of stored) {
      const [key, n] = text.split(':').map(Number)
      expect([partition, position]).toEqual([log.partitionOf(key), positions[n]])
    }
    for (let key = 0; key < 40; key++) {
      const own = positions.filter((_, n) => n % 40 === key)
      expect(own).toEqual([...own].sort((a, b) => a - b))
    }
  })

  it('gives each record of a call its position, whatever partitions the call touches', async () => {
    const log = opened(await (await openTopic(6)).open())
    const records = Array.from({ length: 300 }, (_, key) => ({ key, value: Buffer.from(`${key}`) }))
    const positions = await log.append(records)
    for (const { text, position } of await readAll(log)) expect(position).toBe(positions[Number(text)])
  })

  it('takes the appends of two clients on one topic', async () => {
    const { open } = await openTopic(3)
    const [one, two] = [opened(await open()), opened(await open())]
    const calls = Array.from({ length: 400 }, (_, n) =>
      (n % 2 ? one : two).append([{ key: n % 5, value: Buffer.from(`${n % 5}:${n}`) }]),
    )
    const positions = (await Promise.all(calls)).flat()
    const stored = await readAll(one)
    expect(stored).toHaveLength(400)
    for (const { text, position } of stored) expect(position).toBe(positions[Number(text.split(':')[1])])
  })

  it('shares the partitions among the consumers of a group, and hands them over', async () => {
    const { open } = await openTopic(6)
    const [one, two] = [opened(await open()), opened(await open())]
    const seen: Record<string, Set<number>>[] = []
    const read = async (consumer: LogConsumer) => {
      const own: Record<string, Set<number>> = {}
      seen.push(own)
      for (let batch = await consumer.next(50); batch; batch = await consumer.next(50)) {
        for (const value of batch.values)
          (own[Buffer.from(value).toString()] ??= new Set()).add(batch.partition)
        await consumer.commit(batch.partition, batch.next)
      }
    }
    const append = (from: number) =>
      one.append(Array.from({ length: 200 }, (_, n) => ({ key: n, value: Buffer.from(`${from + n}`) })))
    const count = () => new Set(seen.flatMap((own) => Object.keys(own))).size
    const until = async (condition: () => boolean) => {
      while (!condition()) await pause(50)
    }

    const first = await one.consumer('shared')
    const loops = [read(first)]
    await append(0)
    await until(() => count() === 200)
    const second = await two.consumer('shared')
    loops.push(read(second))
    // A partition that the second one reads is no longer the first one's.
    let appended = 200
    await until(() => {
      void append(appended)
      appended += 200
      return Object.keys(seen[1]).length > 0
    })
    await until(() => count() === appended)
    const before = { one: Object.keys(seen[0]).length, two: Object.keys(seen[1]).length }
    await append(appended)
    await until(() => count() === appended + 200)
    const gained = [Object.keys(seen[0]).length - before.one, Object.keys(seen[1]).length - before.two]
    expect(gained[0]).toBeGreaterThan(0)
    expect(gained[1]).toBeGreaterThan(0)
    expect(gained[0] + gained[1]).toBe(200)
    await first.close()
    await append(appended + 200)
    await until(() => count() === appended + 400)
    await second.close()
    await Promise.all(loops)
  })

  it('remembers a seek for a partition that comes later', async () => {
    const { open } = await openTopic(2)
    const log = opened(await open())
    await log.append(Array.from({ length: 60 }, (_, key) => ({ key, value: Buffer.from(`${key}`) })))
    const before = await readAll(log, 'seeker')
    const consumer = await log.consumer('seeker')
    const lasts = [0, 1].map((partition) => before.findLast((record) => record.partition === partition)!)
    // Sought at once, long before the group has assigned any partition.
    for (const { partition, position } of lasts) await consumer.seek(partition, position)
    const batches = [await consumer.next(100), await consumer.next(100)]
    expect(batches.map((batch) => batch?.positions)).toEqual(
      batches.map((batch) => [lasts[batch!.partition].position]),
    )
  })

  it('goes on from the oldest record when the position is gone', async () => {
    const { open, topic: name } = await openTopic(1)
    const log = opened(await open())
    await log.append(Array.from({ length: 10 }, (_, n) => ({ key: 1, value: Buffer.from(`${n}`) })))
    await withAdmin(brokers, (admin) =>
      admin.deleteRecords({ topics: [{ name, partitions: [{ partition: 0, offset: 4n }] }] }),
    )
    expect(await log.bounds()).toEqual([{ start: 4, end: 10 }])
    const consumer = await log.consumer('late')
    expect((await consumer.next(100))?.positions).toEqual([4, 5, 6, 7, 8, 9])
    await consumer.seek(0, 1)
    expect((await consumer.next(1))?.positions).toEqual([4])
    await consumer.seek(0, 1_000)
    const waiting = consumer.next(1)
    let n = 0
    const writing = async () => {
      // Reads until a record comes: which one is first depends on the end of the log at the time of the seek.
      for (let done = false; !done;) {
        await log.append([{ key: 1, value: Buffer.from(`new ${n++}`) }])
        done = await Promise.race([waiting.then(() => true), pause(100).then(() => false)])
      }
    }
    await writing()
    expect((await waiting)?.positions[0]).toBeGreaterThanOrEqual(10)
  })

  it('tells how far a group is behind', async () => {
    const log = opened(await (await openTopic(1)).open())
    await log.append(Array.from({ length: 10 }, (_, n) => ({ key: 1, value: Buffer.from(`${n}`) })))
    expect(await log.lag('slow')).toEqual([10])
    const consumer = await log.consumer('slow')
    const batch = await consumer.next(4)
    await consumer.commit(0, batch?.next ?? 0)
    await consumer.close()
    expect(await log.lag('slow')).toEqual([6])
  })

  it('loses and doubles nothing while its broker is frozen, and says so in time', async () => {
    const log = opened(await (await openTopic(4)).open({ appendDeadlineMs: 2_000 }))
    const engine = testEngines().find(kafka)
    const load = startLoad(log, 40)
    await pause(500)
    expect(engine?.signal(0, 'SIGSTOP')).toBe(true)
    await pause(7_000)
    engine?.signal(0, 'SIGCONT')
    const { size } = load.acknowledged
    while (load.acknowledged.size < size + 400) await pause(50)
    await load.stop()
    expect(load.unknown.size).toBeGreaterThan(0)
    expect(load.unavailable.size).toBeGreaterThan(0)
    expect(load.slowestMs).toBeLessThan(4_000)
    checkLoad(load, await readAll(log))
  })

  it('ends when the topic is made anew under it, as positions would come again', async () => {
    const { open, topic: name, remove } = await openTopic(1)
    const fatal: RivuletError[] = []
    const log = opened(await open({ onFatal: (error) => fatal.push(error), appendDeadlineMs: 3_000 }))
    const append = () => log.append([{ key: 1, value: Buffer.from('any') }])
    await append()
    await remove()
    await pause(500)
    await migrateKafka({ env, brokers, topic: name, partitions: 1, replicationFactor: 1 })
    await expect(append()).rejects.toMatchObject({ name: 'RivuletError' })
    while (fatal.length === 0) await append().catch(() => pause(50))
    await expect(append()).rejects.toBe(fatal[0])
    await expect((async () => (await log.consumer('any')).next(1))()).rejects.toBe(fatal[0])
    expect(fatal).toHaveLength(1)
  })

  it('refuses what it could not keep its promises on, and names the next step', async () => {
    const { open, topic: name } = await openTopic(3)
    const refused = (promise: Promise<unknown>, text: RegExp) =>
      expect(promise).rejects.toMatchObject({ code: 'config_invalid', message: expect.stringMatching(text) })
    await refused(open({ topic: 'missing' }), /RIVULET_KAFKA.*rivulet migrate/)
    await refused(open({ partitions: 4 }), /3 partitions, not 4/)
    await refused(open({ brokers: ['nowhere'] }), /RIVULET_KAFKA.*host:port/)
    const options = { env, brokers, partitions: 3, replicationFactor: 1 }
    await refused(migrateKafka({ ...options, topic: name, partitions: 4 }), /3 partitions, not 4/)
    await refused(migrateKafka({ ...options, topic: 'wide', replicationFactor: 3 }), /too few brokers/)
    await Promise.all([1, 2, 3].map(() => migrateKafka({ ...options, topic: name })))
    const compacted = [{ name: 'cleanup.policy', value: 'compact', configOperation: 0 }]
    await withAdmin(brokers, (admin) =>
      admin.incrementalAlterConfigs({
        resources: [{ resourceType: 2, resourceName: name, configs: compacted as never }],
      }),
    )
    await refused(open(), /cleanup\.policy=compact.*delete/)
  })

  it('says who does not answer, within its time', async () => {
    const options = { env, topic: 'any', epoch: 1, brokers: ['127.0.0.1:1'] }
    const { openKafkaLog } = await import('../../../../src/ports/log/kafka/kafka.ts')
    await expect(openKafkaLog(options)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/Kafka.*127\.0\.0\.1:1.*RIVULET_KAFKA/),
    })
  })
})
