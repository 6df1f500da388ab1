/**
 * Places on real engines that look new: a topic and a key prefix of their own, and a keyspace that is emptied before it is
 * used again. Used by tests and by copies of the engine (test/feed/variants.ts), so it takes addresses as arguments and
 * does not import the test runner.
 */

import { randomBytes } from 'node:crypto'
import { Client } from 'cassandra-driver'
import { bookmarksDomain } from '../../examples/domain-bookmarks/index.ts'
import { tablesIn } from '../../src/engine/domain.ts'
import * as alarms from './alarms.ts'
import * as counter from './counter.ts'
import { allTables } from '../../src/app/ports/tables.ts'
import { createRedisBus } from '../../src/ports/bus/redis.ts'
import { connectRedis } from '../../src/ports/drivers/redis.ts'
import type { Env } from '../../src/ports/env/env.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'
import { createRedisEphemeral } from '../../src/ports/ephemeral/redis.ts'
import { migrateKafka, openKafkaLog, type KafkaLog } from '../../src/ports/log/kafka/kafka.ts'
import { cqlName } from '../../src/ports/store/cassandra/tables.ts'
import { migrateCassandra, openCassandraStore } from '../../src/ports/store/cassandra/cassandra.ts'
import { createRedisViews } from '../../src/ports/views/redis/redis.ts'

/** `host:port` of the nodes of each engine. */
export interface EngineAddresses {
  readonly kafka: readonly string[]
  readonly cassandra: readonly string[]
  readonly redis: readonly string[]
}

const DEPLOYMENT = 'tests'
/** With those of the example and of tests: each once. */
const tables = [
  ...allTables(),
  ...bookmarksDomain.tables,
  ...tablesIn(counter),
  ...counter.counters.tables,
  ...tablesIn(alarms),
]
const real = createRealEnv()
const quiet = { onNotice: () => undefined }

/**
 * Keyspaces of this worker that are free. Each has some thirty tables, which a small Cassandra has to hold in memory, so
 * keyspaces of earlier test files are used again.
 */
const free: string[] = []
let taken = 0

async function takeKeyspace(addresses: EngineAddresses): Promise<string> {
  const keyspace = free.pop() ?? `t_${process.env.VITEST_POOL_ID ?? '0'}_${taken++}`
  await migrateCassandra({ ...cassandraOf(addresses, keyspace), replicationFactor: 1 })
  await empty(addresses, keyspace)
  return keyspace
}

const cassandraOf = ({ cassandra }: EngineAddresses, keyspace: string, env: Env = real) => ({
  env,
  contactPoints: cassandra,
  localDataCenter: 'datacenter1',
  keyspace,
  tables,
  deployment: DEPLOYMENT,
  ...quiet,
})

async function empty({ cassandra }: EngineAddresses, keyspace: string): Promise<void> {
  const client = new Client({ contactPoints: [...cassandra], localDataCenter: 'datacenter1' })
  const names = [...tables.map(cqlName), 'rivulet_watermark']
  await Promise.all(names.map((name) => client.execute(`TRUNCATE ${keyspace}.${name}`)))
  await client.shutdown()
}

export type EnginePlace = Awaited<ReturnType<typeof openEnginePlace>>

export async function openEnginePlace(
  addresses: EngineAddresses,
  env: Env,
  partitions: number,
  capacity = 800,
) {
  const keyspace = await takeKeyspace(addresses)
  const name = `t_${randomBytes(6).toString('hex')}`
  const topic = { env: real, brokers: addresses.kafka, topic: name }
  await migrateKafka({ ...topic, partitions, replicationFactor: 1 })
  const store = await openCassandraStore(cassandraOf(addresses, keyspace, env))
  const redis = await connectRedis({ env: real, nodes: addresses.redis, ...quiet })
  const prefix = `${name}:`
  const logs: KafkaLog[] = []
  return {
    store,
    ephemeral: createRedisEphemeral({ redis, prefix }),
    bus: createRedisBus({ redis, prefix }),
    /** The ports as another process would have them. */
    newViews: () => createRedisViews({ env: real, redis, prefix, capacity, lanes: partitions }),
    async openLog() {
      const log = await openKafkaLog({ ...topic, epoch: 1, ...quiet })
      logs.push(log)
      return log
    },
    /** Deletes the data in Redis, as a lost Redis would. */
    async loseViews() {
      const keys = (await redis.send(prefix, ['KEYS', `${prefix}v:*`])) as Buffer[]
      for (const key of keys) await redis.send(key.toString(), ['DEL', key])
    },
    async close() {
      await Promise.all(logs.map((log) => log.close()))
      await store.close()
      await redis.close()
      free.push(keyspace)
    },
  }
}
