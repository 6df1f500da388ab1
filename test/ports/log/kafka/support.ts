/** New, empty topics for tests, and readers that check their content. */

import { Admin } from '@platformatic/kafka'
import { createRealEnv } from '../../../../src/ports/env/real.ts'
import { openKafkaLog, type KafkaLog, type KafkaLogOptions } from '../../../../src/ports/log/kafka/kafka.ts'
import { migrateKafka } from '../../../../src/ports/log/kafka/topics.ts'
import type { Log } from '../../../../src/ports/log/log.ts'

export const env = createRealEnv()

export interface TestTopic {
  readonly topic: string
  readonly brokers: readonly string[]
  open(options?: Partial<KafkaLogOptions>): Promise<KafkaLog>
  remove(): Promise<void>
}

let topics = 0

export async function createTopic(
  brokers: readonly string[],
  partitions: number,
  replicationFactor = 1,
): Promise<TestTopic> {
  const topic = `test-${process.pid}-${Math.floor(env.wallMs())}-${topics++}`
  await migrateKafka({ env, brokers, topic, partitions, replicationFactor })
  return {
    topic,
    brokers,
    open: (options = {}) => openKafkaLog({ env, brokers, topic, epoch: 1, ...options }),
    remove: () => withAdmin(brokers, (admin) => admin.deleteTopics({ topics: [topic] })),
  }
}

export async function withAdmin<T>(
  brokers: readonly string[],
  task: (admin: Admin) => Promise<T>,
): Promise<T> {
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: [...brokers], retries: 3 })
  try {
    return await task(admin)
  } finally {
    await admin.close()
  }
}

export interface Stored {
  readonly partition: number
  readonly position: number
  readonly text: string
}

/** Reads all records of the log, each partition in its order. */
export async function readAll(log: Log, group = `reader-${topics++}`): Promise<Stored[]> {
  const bounds = await log.bounds()
  const consumer = await log.consumer(group)
  const reached = bounds.map(({ start }) => start)
  const stored: Stored[] = []
  while (bounds.some(({ end }, partition) => reached[partition] < end)) {
    const batch = await consumer.next(1_000)
    if (batch === undefined) throw new Error('the log was closed')
    batch.values.forEach((value, n) =>
      stored.push({
        partition: batch.partition,
        position: batch.positions[n],
        text: Buffer.from(value).toString(),
      }),
    )
    reached[batch.partition] = batch.next
  }
  await consumer.close()
  return stored
}

export const pause = (delayMs: number): Promise<void> =>
  new Promise((resolve) => void env.timer(delayMs, resolve))
