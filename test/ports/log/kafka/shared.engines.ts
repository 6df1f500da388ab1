/** A Kafka log that several clients share: partitions that move between the consumers of a group, and followers. */

import { afterEach, describe, expect, inject, it } from 'vitest'
import type { KafkaLog } from '../../../../src/ports/log/kafka/kafka.ts'
import type { LogConsumer } from '../../../../src/ports/log/log.ts'
import { kafka } from '../../../../tools/engines/kafka.ts'
import { testEngines } from '../../../support/engines-up.ts'
import { createTopic, pause, withAdmin, type TestTopic } from './support.ts'

const brokers = inject('engines').kafka ?? []
const PARTITIONS = 6

interface Member {
  readonly consumer: LogConsumer
  /** The partitions that it was told of last. */
  owned: number[]
  told: number
  readonly texts: Set<string>
  /** By partition: the first position that was read since it was gained. */
  readonly firsts: Map<number, string>
}

describe('a Kafka log with several clients', () => {
  let topic: TestTopic
  const logs: KafkaLog[] = []
  const begin = async (partitions: number) => (topic = await createTopic(brokers, partitions))
  const open = async () => {
    const log = await topic.open()
    logs.push(log)
    return log
  }
  afterEach(async () => {
    for (const log of logs.splice(0)) await log.close()
    await topic.remove()
  })
  const until = async (condition: () => boolean) => {
    while (!condition()) await pause(20)
  }

  /** Reads and commits until it is closed; every batch must be of a partition that it was told of. */
  async function join(log: KafkaLog, from?: ReadonlyMap<number, number>): Promise<Member> {
    const consumer = await log.consumer('shared', (partitions) => {
      for (const partition of partitions) {
        const position = member.owned.includes(partition) ? undefined : from?.get(partition)
        if (position !== undefined) void consumer.seek(partition, position)
      }
      for (const partition of member.owned) if (!partitions.includes(partition)) firsts.delete(partition)
      member.owned = [...partitions].sort()
      member.told++
    })
    const firsts = new Map<number, string>()
    const member: Member = { consumer, owned: [], told: 0, texts: new Set(), firsts }
    const read = async () => {
      for (let batch = await consumer.next(20); batch; batch = await consumer.next(20)) {
        expect(member.owned).toContain(batch.partition)
        const texts = batch.values.map((value) => Buffer.from(value).toString())
        if (!firsts.has(batch.partition)) firsts.set(batch.partition, texts[0])
        for (const text of texts) member.texts.add(text)
        await consumer.commit(batch.partition, batch.next)
      }
    }
    void read()
    return member
  }

  let appended = 0
  const append = (log: KafkaLog, count = 120) =>
    log.append(Array.from({ length: count }, (_, key) => ({ key, value: Buffer.from(`${appended++}`) })))

  it('moves partitions to a consumer that joins, and back when it closes, and tells both', async () => {
    await begin(PARTITIONS)
    const [log, other] = [await open(), await open()]
    const all = Array.from({ length: PARTITIONS }, (_, partition) => partition)
    const seenAll = (...members: Member[]) =>
      until(() => new Set(members.flatMap(({ texts }) => [...texts])).size === appended)

    appended = 0
    const one = await join(log)
    await until(() => one.told > 0)
    expect(one.owned).toEqual(all)
    await append(log)
    await seenAll(one)
    // Far below the group's committed position.
    const starts = new Map((await log.bounds()).map(({ start }, partition) => [partition, start]))
    const two = await join(other, starts)
    while (two.told === 0) await append(log)
    await seenAll(one, two)
    expect(one.owned).toHaveLength(PARTITIONS / 2)
    expect([...one.owned, ...two.owned].sort()).toEqual(all)
    await append(log)
    await seenAll(one, two)
    for (const partition of two.owned) expect(Number(two.firsts.get(partition))).toBeLessThan(120)

    await two.consumer.close()
    const { size } = one.texts
    await append(log)
    await until(() => one.owned.length === PARTITIONS)
    await seenAll(one, two)
    expect(one.owned).toEqual(all)
    expect(one.texts.size).toBeGreaterThanOrEqual(size + 120)
  })

  it('tells a consumer that nothing is left for it', async () => {
    await begin(1)
    const members = [await join(await open()), await join(await open())]
    await until(() => members.every(({ told }) => told > 0))
    await until(() => members.reduce((sum, { owned }) => sum + owned.length, 0) === 1)
  })

  it('is followed by one client while another writes, also when the broker is frozen for a while', async () => {
    await begin(3)
    const [log, other] = [await open(), await open()]
    const follower = await other.follow()
    for (let partition = 0; partition < 3; partition++) await follower.seek(partition, 0)
    const seen: string[] = []
    const read = async () => {
      for (let batch = await follower.next(50); batch; batch = await follower.next(50))
        seen.push(...batch.values.map((value) => Buffer.from(value).toString()))
    }
    const reading = read()
    appended = 0
    await append(log)
    await until(() => seen.length === 120)
    const engine = testEngines().find(kafka)
    expect(engine?.signal(0, 'SIGSTOP')).toBe(true)
    // Longer than a request may take.
    await pause(7_000)
    engine?.signal(0, 'SIGCONT')
    await append(log)
    await until(() => new Set(seen).size === 240)
    await follower.close()
    await reading
    expect(seen).toHaveLength(240)
  })

  it('lets a follower go on at the oldest record when the position is gone', async () => {
    const { topic: name } = await begin(1)
    const log = await open()
    await append(log, 10)
    await withAdmin(brokers, (admin) =>
      admin.deleteRecords({ topics: [{ name, partitions: [{ partition: 0, offset: 4n }] }] }),
    )
    const follower = await log.follow()
    await follower.seek(0, 1)
    expect((await follower.next(100))?.positions).toEqual([4, 5, 6, 7, 8, 9])
  })
})
