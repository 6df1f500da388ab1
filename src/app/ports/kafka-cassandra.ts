/** The log on Kafka and the rows in Cassandra: the same for all processes of a deployment. */

import { isRivuletError, RivuletError } from '../../core/errors.ts'
import { WORKER_GROUP } from '../../engine/worker/worker.ts'
import type { Env } from '../../ports/env/env.ts'
import {
  kafkaTopicId,
  migrateKafka,
  openKafkaLog,
  type KafkaLog,
  type KafkaLogOptions,
} from '../../ports/log/kafka/kafka.ts'
import type { Log } from '../../ports/log/log.ts'
import { keyspaceOwner, migrateCassandra, openCassandraStore } from '../../ports/store/cassandra/cassandra.ts'
import type { Views } from '../../ports/views/views.ts'
import { createClosers } from '../closers.ts'
import { guarded, passLeases, takeLease } from '../../engine/processes/lease.ts'
import { createStoreNotes } from './notes.ts'
import type { Durable, Figure, MigrateOptions, OpenPortsOptions } from './parts.ts'
import { kafkaSecurity, naming, tlsOf } from './security.ts'
import { assertEpoch, assertSamePast } from './same-past.ts'
import { allTables } from './tables.ts'

interface Engines {
  readonly brokers: readonly string[]
  readonly contactPoints: readonly string[]
}

type Topic = Omit<KafkaLogOptions, 'epoch'>

const HOUR_MS = 3_600_000
const LAG_EVERY_MS = 10_000
/** Of the log that a deployment begins with; a move to another one raises it. */
const FIRST_EPOCH = 1

export async function openKafkaAndCassandra(
  options: OpenPortsOptions,
  engines: Engines,
  firstEpoch = FIRST_EPOCH,
): Promise<Durable> {
  const { env, config, onFatal, onNotice } = options
  const closers = createClosers()
  try {
    const topic = {
      env,
      brokers: engines.brokers,
      topic: config.kafkaTopic,
      security: kafkaSecurity(config),
    }
    const id = await naming('kafka', kafkaTopicId(topic))
    const cassandra = { ...cassandraOf(options, engines), deployment: id }
    const store = closers.add(await naming('cassandra', openCassandraStore(cassandra)))
    const waits = options.waitsForLease === true
    const lease =
      options.isShared === true
        ? undefined
        : closers.add(await takeLease({ env, store, onLost: onFatal, onNotice, waits }))
    const place = `Kafka topic ${config.kafkaTopic}, Cassandra keyspace ${config.cassandraKeyspace}`
    const notes = createStoreNotes(store, place)
    const epoch = Number((await notes.keep('log.epoch', () => String(firstEpoch))).text)
    // Keys would be in other partitions, under positions below those of the rows that they wrote.
    const known = await notes.read('log.partitions')
    const partitions = known === undefined ? {} : { partitions: Number(known) }
    const log = closers.add(await openKafkaLog({ ...topic, epoch, ...partitions, onFatal, onNotice }))
    await notes.keep('log.partitions', () => String(log.partitions))
    if (firstEpoch > FIRST_EPOCH) assertEpoch(place, log, firstEpoch)
    await assertSamePast(place, log, store)
    const assertWhole = () => assertSamePast(place, log, store)
    const lag = closers.add(watchLag(env, log, assertWhole, onFatal))
    return {
      ...(lease === undefined
        ? { log, store, gate: () => passLeases({ env, store, onNotice }) }
        : {
            log: guarded<Log>(log, lease),
            store: guarded(store, lease),
            guard: (views: Views) => guarded(views, lease),
          }),
      notes,
      id,
      place,
      figures: [lag.figure],
      close: closers.close,
    }
  } catch (error) {
    await closers.close().catch(() => undefined)
    throw error
  }
}

/**
 * Brokers are asked now and then, not by each who wants to know. They remove records by age alone: a process that
 * was kept from projecting for longer than that must end, before it goes on behind the gap.
 */
function watchLag(
  env: Env,
  log: KafkaLog,
  assertWhole: () => Promise<void>,
  onFatal: (error: unknown) => void,
) {
  let records = 0
  let timer = env.timer(LAG_EVERY_MS, () => void look())
  let isClosed = false
  async function look(): Promise<void> {
    const lags = await log.lag(WORKER_GROUP).catch(() => undefined)
    if (lags !== undefined) records = lags.reduce((sum, one) => sum + one, 0)
    await assertWhole().catch((error: unknown) => isRivuletError(error, 'data_corrupt') && onFatal(error))
    if (!isClosed) timer = env.timer(LAG_EVERY_MS, () => void look())
  }
  const figure: Figure = {
    name: 'rivulet_log_lag_records',
    help: 'Records of the log that the worker has not committed, as the brokers see it.',
    read: () => records,
  }
  return {
    figure,
    async close() {
      isClosed = true
      timer.cancel()
    },
  }
}

/** Makes what is missing: the topic, the keyspace, its tables. Any number of these may run at once. */
export async function migrateKafkaAndCassandra(options: MigrateOptions, engines: Engines): Promise<void> {
  const { env, config, onNotice, rebuild = false } = options
  const topic = {
    env,
    brokers: engines.brokers,
    topic: config.kafkaTopic,
    security: kafkaSecurity(config),
  }
  await naming('cassandra', assertNotAnothers(options, engines, topic))
  await naming(
    'kafka',
    migrateKafka({
      ...topic,
      onNotice,
      partitions: config.kafkaPartitions,
      replicationFactor: config.kafkaReplication,
      retentionMs: config.logRetentionHours * HOUR_MS,
    }),
  )
  await naming(
    'cassandra',
    migrateCassandra({
      ...cassandraOf(options, engines),
      deployment: await kafkaTopicId(topic),
      replicationFactor: config.cassandraReplication,
      onClaim: () => assertMayClaim(options, topic, rebuild),
    }),
  )
}

/** A keyspace that is somebody's has a topic: under a wrong name, no other one is made for it. */
async function assertNotAnothers(options: MigrateOptions, engines: Engines, topic: Topic): Promise<void> {
  const isThere = await kafkaTopicId(topic).then(
    () => true,
    (error: unknown) => !isRivuletError(error, 'config_invalid'),
  )
  if (isThere) return
  const owner = await keyspaceOwner({ ...cassandraOf(options, engines), deployment: '' })
  if (owner === undefined) return
  const { kafkaTopic, cassandraKeyspace } = options.config
  const message = `the keyspace ${cassandraKeyspace} belongs to a log that is there, or was (${owner}), and there is no topic ${kafkaTopic}: correct RIVULET_KAFKA_TOPIC, or name another keyspace in RIVULET_CASSANDRA_KEYSPACE`
  throw new RivuletError('config_invalid', message)
}

/**
 * Two keyspaces on one topic would each get the events of half of its partitions. Rows can be made again only from a
 * log that has lost nothing.
 */
async function assertMayClaim({ config }: MigrateOptions, topic: Topic, rebuild: boolean): Promise<void> {
  const log = await openKafkaLog({ ...topic, epoch: FIRST_EPOCH })
  const bounds = await log.bounds().finally(() => log.close())
  if (bounds.every(({ end }) => end === 0)) return
  if (rebuild && bounds.every(({ start }) => start === 0)) return
  if (rebuild) {
    const gone = `the topic ${config.kafkaTopic} has removed its oldest records: rows cannot be made again from it; restore the keyspace from a backup`
    throw new RivuletError('data_corrupt', gone)
  }
  const message = `the topic ${config.kafkaTopic} holds records, and the keyspace ${config.cassandraKeyspace} is new. If another keyspace is served from this topic, name that in RIVULET_CASSANDRA_KEYSPACE, or another topic in RIVULET_KAFKA_TOPIC; if it is lost, \`rivulet migrate --rebuild\` begins one whose rows are made again from the log`
  throw new RivuletError('config_invalid', message)
}

function cassandraOf({ env, config, onNotice }: MigrateOptions, { contactPoints }: Engines) {
  const { cassandraUsername: username, cassandraPassword: password } = config
  const tls = tlsOf(config, 'cassandra')
  return {
    env,
    contactPoints,
    localDataCenter: config.cassandraDatacenter,
    keyspace: config.cassandraKeyspace,
    tables: allTables(),
    onNotice,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls !== undefined && { tls }),
  }
}
