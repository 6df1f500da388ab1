/** Opens and migrates the log on Kafka and the store on Cassandra, which all processes of a deployment share. */

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
/** The epoch of a deployment's first log; a move to another log raises it. */
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
    // With another number of partitions, keys would fall into other ones, where positions may be below row versions.
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
 * Asks the brokers for the lag every ten seconds, and not at every scrape. Also checks that log and store still belong
 * together: brokers remove records by age alone, so a process that could not project for longer than the retention must
 * end before it goes on behind the gap.
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

/** Creates what is missing of the topic, the keyspace and its tables. Several processes may do so at once. */
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

/**
 * Refuses a topic that does not exist when the keyspace already belongs to one: the topic's name is probably wrong, and
 * must not become a new topic.
 */
async function assertNotAnothers(options: MigrateOptions, engines: Engines, topic: Topic): Promise<void> {
  const isThere = await kafkaTopicId(topic).then(
    () => true,
    (error: unknown) => !isRivuletError(error, 'config_invalid'),
  )
  if (isThere) return
  const owner = await keyspaceOwner({ ...cassandraOf(options, engines), deployment: '' })
  if (owner === undefined) return
  const { kafkaTopic, cassandraKeyspace } = options.config
  const message = `the keyspace ${cassandraKeyspace} belongs to another log (topic id ${owner}), and there is no topic ${kafkaTopic}: correct RIVULET_KAFKA_TOPIC, or name another keyspace in RIVULET_CASSANDRA_KEYSPACE`
  throw new RivuletError('config_invalid', message)
}

/**
 * Refuses a new keyspace for a topic that holds records: two keyspaces that are served from one topic would each get
 * the events of some partitions only. With `rebuild` the keyspace may be new, but then the topic must still hold its
 * oldest records, from which the rows are made again.
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
  const message = `the topic ${config.kafkaTopic} holds records, and the keyspace ${config.cassandraKeyspace} is new. If another keyspace is served from this topic, name that in RIVULET_CASSANDRA_KEYSPACE, or another topic in RIVULET_KAFKA_TOPIC; if the keyspace is lost, \`rivulet migrate --rebuild\` creates a new one, whose rows are made again from the log`
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
