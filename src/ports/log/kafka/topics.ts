/**
 * The topic: created by `rivulet migrate`, checked at every start. Nothing here changes a topic that exists: its number
 * of partitions decides where a key is, and its settings decide whether an acknowledged record can be lost.
 */

import { sleep } from '../../env/sleep.ts'
import { assert } from '../../../core/errors.ts'
import { LIMITS } from '../../../core/limits.ts'
import type { Env } from '../../env/env.ts'
import { readConfig, withAdmin } from './admin.ts'
import { KafkaCluster } from './cluster.ts'
import type { TopicState } from './leaders.ts'
import { BATCH_BYTES_MAX } from './lane.ts'
import { CODE, codeOf, settingsOf, wrongKafka, type KafkaAddress, type KafkaSettings } from './settings.ts'

export interface MigrateKafkaOptions extends KafkaAddress {
  readonly env: Env
  readonly onNotice?: (text: string) => void
  readonly partitions: number
  readonly replicationFactor: number
  /** How long a record is kept at least. Default: seven days. */
  readonly retentionMs?: number
}

const DAY_MS = 24 * 3_600_000
const MESSAGE_BYTES_MAX = 2 * LIMITS.logRecordBytesMax
const VISIBLE_WITHIN_MS = 30_000
const POLL_MS = 100

assert(BATCH_BYTES_MAX + 1_024 <= MESSAGE_BYTES_MAX, 'a batch must fit a message of the topic')

/** Creates the topic if it is missing. Several migrations may run at once. */
export async function migrateKafka(options: MigrateKafkaOptions): Promise<void> {
  const settings = settingsOf(options)
  const cluster = new KafkaCluster(settings)
  try {
    const isMissing = (await cluster.refresh()) === undefined
    if (isMissing) await createTopic(settings, cluster, options)
    const topic = await awaitTopic(settings, cluster)
    await checkTopic(settings, topic, cluster.bootstrap, options.partitions)
    if (isMissing)
      settings.onNotice(`created the topic ${settings.topic} with ${topic.partitions} partitions`)
  } finally {
    cluster.close()
  }
}

/** Returns the topic's id, which no other topic has, not even a later one of the same name. */
export async function kafkaTopicId(options: KafkaAddress & Pick<KafkaSettings, 'env'>): Promise<string> {
  const settings = settingsOf(options)
  const cluster = new KafkaCluster(settings)
  try {
    const topic = await cluster.refresh()
    if (topic === undefined) throw noTopic(settings)
    return topic.id
  } finally {
    cluster.close()
  }
}

export const noTopic = ({ topic }: Pick<KafkaSettings, 'topic'>) =>
  wrongKafka(`there is no topic ${topic}: run \`rivulet migrate\` first, or correct RIVULET_KAFKA_TOPIC`)

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
    // Retention goes by the brokers' clocks: with a wrong clock here, records would be kept too long, or refused.
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
        throw wrongKafka(
          `the cluster has too few brokers for a replication factor of ${replicationFactor}: ` +
            'start more brokers, or lower RIVULET_KAFKA_REPLICATION',
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
    if (env.monotonicMs() > deadlineMs)
      throw wrongKafka(`the topic ${topic} has partitions without a leader; check the brokers`)
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
    throw wrongKafka(
      `the topic ${name} has ${topic.partitions} partitions, not ${partitions}. The number decides where a key is, so ` +
        'it never changes: set RIVULET_KAFKA_PARTITIONS back, or move to a folder and from there to a new topic',
    )
  }
  if (topic.replicas < 2)
    onNotice(`Kafka: the topic ${name} has a single replica, so that losing one disk loses the log`)
  if (topic.brokers < topic.replicas) {
    onNotice(
      `Kafka: only ${topic.brokers} brokers are up, for ${topic.replicas} replicas of the topic ${name}`,
    )
  }
  const found = await readConfig(settings, bootstrap)
  if (found === undefined)
    return onNotice(
      `Kafka: the settings of the topic ${name} are not checked, because the user may not read them`,
    )
  const mend = (setting: string, value: string, why: string) =>
    wrongKafka(
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
