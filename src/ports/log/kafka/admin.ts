/** Rare requests to the cluster, made through the client's admin: settings and committed offsets. Each has connections of its own. */

import { within } from '../../env/deadlines.ts'
import { Admin, ConfigResourceTypes } from '@platformatic/kafka'
import { RivuletError } from '../../../core/errors.ts'
import type { KafkaCluster } from './cluster.ts'
import {
  CODE,
  codeOf,
  CONNECT_TIMEOUT_MS,
  describeError,
  guarded,
  REQUEST_TIMEOUT_MS,
  unreachable,
  wrongKafka,
  type KafkaSettings,
} from './settings.ts'

const ADMIN_TIMEOUT_MS = 10_000

/** @returns the topic's settings; `undefined` when this user may not read them */
export async function readConfig(
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

/** How many records a group is behind, by partition. For metrics: it asks the brokers each time. */
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
  // Records that retention has removed do not count. A commit may lie above the end that was asked for before it.
  return bounds.map(({ start, end }, partition) =>
    Math.max(0, end - Math.max(start, offsets.get(partition) ?? start)),
  )
}

export async function withAdmin<T>(
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
    throw wrongKafka(`the topic ${settings.topic}: ${describeError(error)}`)
  } finally {
    for (const [, connection] of admin.connections) connection.socket?.destroy()
    admin.close().catch(() => undefined)
  }
}
