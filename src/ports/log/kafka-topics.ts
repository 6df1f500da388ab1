/**
 * The topic: made by `rivulet migrate`, checked at every start. Nothing here ever changes a topic that exists:
 * its partitions decide where a key is, and its settings whether an acknowledged record can be lost.
 */

import { Admin, ConfigResourceTypes } from '@platformatic/kafka'
import { assert, RivuletError } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import type { Env } from '../env/env.ts'
import { KafkaCluster, type TopicState } from './kafka-cluster.ts'
import { BATCH_BYTES_MAX } from './kafka-lane.ts'
import {
  CODE,
  codeOf,
  CONNECT_TIMEOUT_MS,
  describeError,
  guarded,
  REQUEST_TIMEOUT_MS,
  sleep,
  unreachable,
  within,
  type KafkaAddress,
  type KafkaSettings,
} from './kafka-settings.ts'

export interface MigrateKafkaOptions extends KafkaAddress {
  readonly env: Env
  readonly partitions: number
  readonly replicationFactor: number
  /** How long a record is kept at least; the log's retention. */
  readonly retentionMs?: number
}

const DAY_MS = 24 * 3_600_000
const MESSAGE_BYTES_MAX = 2 * LIMITS.logRecordBytesMax
const ADMIN_TIMEOUT_MS = 10_000
const VISIBLE_WITHIN_MS = 30_000
const POLL_MS = 100

assert(BATCH_BYTES_MAX + 1_024 <= MESSAGE_BYTES_MAX, 'a batch must fit a message of the topic')

const SETTING = 'RIVULET_KAFKA'
const wrong = (message: string) => new RivuletError('config_invalid', `Kafka (${SETTING}): ${message}`)

export const settingsOf = (
  options: KafkaAddress & Pick<KafkaSettings, 'env'> & Partial<KafkaSettings>,
): KafkaSettings => ({
  clientId: 'rivulet',
  security: {},
  onFatal: () => undefined,
  onNotice: () => undefined,
  ...options,
})

/** Makes the topic if it is missing. Any number of these may run at once. */
export async function migrateKafka(options: MigrateKafkaOptions): Promise<void> {
  const settings = settingsOf(options)
  const cluster = new KafkaCluster(settings)
  try {
    if ((await cluster.refresh()) === undefined) await createTopic(settings, cluster, options)
    const topic = await awaitTopic(settings, cluster)
    await checkTopic(settings, topic, cluster.bootstrap, options.partitions)
  } finally {
    cluster.close()
  }
}

async function createTopic(
  settings: KafkaSettings,
  { bootstrap }: KafkaCluster,
  { partitions, replicationFactor, retentionMs = 7 * DAY_MS }: MigrateKafkaOptions,
): Promise<void> {
  const configs = {
    'cleanup.policy': 'delete',
    'retention.ms': String(retentionMs),
    'max.message.bytes': String(MESSAGE_BYTES_MAX),
    'min.insync.replicas': replicationFactor >= 3 ? '2' : '1',
    'unclean.leader.election.enable': 'false',
    // retention by the brokers' clocks: a wrong one of ours would keep records too long, or have them refused
    'message.timestamp.type': 'LogAppendTime',
  }
  await withAdmin(settings, bootstrap, async (admin) => {
    try {
      await admin.createTopics({
        topics: [settings.topic],
        partitions,
        replicas: replicationFactor,
        configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
      })
    } catch (error) {
      if (codeOf(error) === CODE.topicExists) return
      if (codeOf(error) === CODE.invalidReplication) {
        throw wrong(
          `the cluster has too few brokers for a replication factor of ${replicationFactor}: ` +
            'start more brokers, or lower the factor',
        )
      }
      throw error
    }
  })
}

async function awaitTopic({ env, topic }: KafkaSettings, cluster: KafkaCluster): Promise<TopicState> {
  const deadlineMs = env.monotonicMs() + VISIBLE_WITHIN_MS
  for (;;) {
    const state = await cluster.refresh()
    if (state?.leaders.every((leader) => leader !== undefined)) return state
    if (env.monotonicMs() > deadlineMs) throw wrong(`the topic ${topic} has partitions without a leader`)
    await sleep(env, POLL_MS)
  }
}

/** Refuses a topic on which the log could not keep its promises. */
export async function checkTopic(
  settings: KafkaSettings,
  topic: TopicState,
  bootstrap: readonly string[],
  partitions: number | undefined,
): Promise<void> {
  const { topic: name, onNotice } = settings
  if (partitions !== undefined && topic.partitions !== partitions) {
    throw wrong(
      `the topic ${name} has ${topic.partitions} partitions, not ${partitions}: their number decides where a key ` +
        'is and never changes; set it back, or move to a new topic with a higher epoch',
    )
  }
  if (topic.replicas < 2) onNotice(`Kafka: the topic ${name} has a single copy: a lost disk loses the log`)
  if (topic.brokers < topic.replicas) {
    onNotice(`Kafka: ${topic.brokers} brokers are up, for ${topic.replicas} copies of the topic ${name}`)
  }
  const found = await readConfig(settings, bootstrap)
  if (found === undefined) return onNotice(`Kafka: the settings of the topic ${name} may not be read`)
  const mend = (setting: string, value: string, why: string) =>
    wrong(
      `the topic ${name} has ${setting}=${found.get(setting)} (${why}): set it to ${value} on the brokers`,
    )
  if (topic.replicas >= 3 && Number(found.get('min.insync.replicas')) < 2) {
    throw mend('min.insync.replicas', '2', 'an acknowledged record could be lost with one broker')
  }
  if (topic.replicas > 1 && found.get('unclean.leader.election.enable') === 'true') {
    throw mend('unclean.leader.election.enable', 'false', 'acknowledged records could be lost')
  }
  if (found.get('cleanup.policy') !== 'delete') {
    throw mend('cleanup.policy', 'delete', 'compaction would drop events')
  }
  if (Number(found.get('max.message.bytes')) < BATCH_BYTES_MAX + 1_024) {
    throw mend('max.message.bytes', String(MESSAGE_BYTES_MAX), 'the largest record would be refused')
  }
}

async function readConfig(
  settings: KafkaSettings,
  bootstrap: readonly string[],
): Promise<ReadonlyMap<string, string | null | undefined> | undefined> {
  const resource = { resourceType: ConfigResourceTypes.TOPIC, resourceName: settings.topic }
  try {
    const [found] = await withAdmin(settings, bootstrap, (admin) =>
      admin.describeConfigs({ resources: [resource] }),
    )
    return new Map(found.configs.map(({ name, value }) => [name, value]))
  } catch (error) {
    if (codeOf(error) === CODE.topicDenied) return undefined
    throw error
  }
}

/** How far a group is behind, in records, by partition. For metrics: brokers are asked each time. */
export async function groupLag(
  settings: KafkaSettings,
  cluster: KafkaCluster,
  group: string,
): Promise<readonly number[]> {
  const [bounds, committed] = await Promise.all([
    cluster.bounds(),
    withAdmin(settings, cluster.bootstrap, (admin) => admin.listConsumerGroupOffsets({ groups: [group] })),
  ])
  const offsets = new Map<number, number>()
  for (const { name, partitions } of committed.find(({ groupId }) => groupId === group)?.topics ?? []) {
    if (name !== settings.topic) continue
    for (const { partitionIndex, committedOffset } of partitions)
      offsets.set(partitionIndex, Number(committedOffset))
  }
  // what retention has removed is no longer to be read
  return bounds.map(({ start, end }, partition) => end - Math.max(start, offsets.get(partition) ?? start))
}

async function withAdmin<T>(
  settings: KafkaSettings,
  bootstrap: readonly string[],
  task: (admin: Admin) => Promise<T>,
): Promise<T> {
  const client = new Admin({
    clientId: settings.clientId,
    bootstrapBrokers: [...bootstrap],
    retries: 3,
    retryDelay: 200,
    connectTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    ...settings.security,
  } as ConstructorParameters<typeof Admin>[0])
  const admin = guarded(client)
  try {
    return await within(settings.env, ADMIN_TIMEOUT_MS, task(admin), () => new Error('no answer in time'))
  } catch (error) {
    if (error instanceof RivuletError || codeOf(error) === CODE.topicDenied) throw error
    const code = codeOf(error)
    if (code === undefined) throw unreachable(settings.brokers, error)
    throw wrong(`the topic ${settings.topic}: ${describeError(error)}`)
  } finally {
    for (const [, connection] of admin.connections) connection.socket?.destroy()
    admin.close().catch(() => undefined)
  }
}
