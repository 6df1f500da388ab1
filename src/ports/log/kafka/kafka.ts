/**
 * The log on Kafka, in a topic that `rivulet migrate` has created.
 *
 * A position is an offset. A key is in the partition in which Java's clients would put it. An acknowledged record is on
 * all in-sync replicas, and on at least two where there are three, so that one broker may fail at any time. Kafka does not
 * sync before it acknowledges: a power failure of all replicas at once may lose the newest records.
 *
 * While brokers do not answer, `append` rejects at its deadline: with `unavailable` when nothing was sent, otherwise with
 * `outcome_unknown`. Consumers and followers wait. All of them recover by themselves.
 *
 * Within a process, records of one key are in the order of the calls, and no record is there twice. The records of a call
 * for one partition stay together up to a mebibyte; between more of them, another process may write.
 */

import { within } from '../../env/deadlines.ts'
import { RivuletError } from '../../../core/errors.ts'
import { checkPosition, groupTaken, logClosed } from '../append-checks.ts'
import { ReaderConsumer, type ReaderCursor, ReaderFollower } from '../consumer.ts'
import type { Log, LogBounds, LogConsumer, LogFollower, LogRecord, OnAssigned } from '../log.ts'
import { groupLag } from './admin.ts'
import { KafkaCluster } from './cluster.ts'
import { KafkaFetcher } from './fetcher.ts'
import { encodeKey, partitionOfKey } from './partitioner.ts'
import { KafkaProducer } from './producer.ts'
import { KafkaReader } from './reader.ts'
import { settingsOf, unreachable, type KafkaAddress, type KafkaSettings } from './settings.ts'
import { checkTopic, noTopic } from './topics.ts'

export { kafkaTopicId, migrateKafka } from './topics.ts'

export interface KafkaLogOptions extends KafkaAddress, Pick<KafkaSettings, 'env'> {
  /** Must be raised when the topic is another one than before. */
  readonly epoch: number
  /** If given, opening is refused when the topic has another number of partitions. */
  readonly partitions?: number
  /** While more bytes wait for Kafka, `append` rejects with `overloaded`. */
  readonly queuedBytesMax?: number
  readonly appendDeadlineMs?: number
  /** Called when acknowledged records may be gone, or the topic is another one. The process should end. */
  readonly onFatal?: (error: RivuletError) => void
  readonly onNotice?: (text: string) => void
}

export interface KafkaLog extends Log {
  /** How many records a group is behind, by partition. Asks the brokers each time. */
  lag(group: string): Promise<readonly number[]>
}

/** Contains the topic, because deployments may share a cluster: members of one group must read the same topic. */
const groupIdOf = (topic: string, group: string): string => `${topic}.${group}`

const DEFAULTS = { queuedBytesMax: 64 * 1024 * 1024, appendDeadlineMs: 10_000 }
const OPEN_WITHIN_MS = 10_000

export async function openKafkaLog(options: KafkaLogOptions): Promise<KafkaLog> {
  let log: LogOnKafka | undefined
  const settings = settingsOf({ ...options, onFatal: (error) => log?.fail(error) })
  const cluster = new KafkaCluster(settings)
  try {
    const late = () => unreachable(settings.brokers, new Error('no answer in time'))
    log = await within(settings.env, OPEN_WITHIN_MS, open(options, settings, cluster), late)
    return log
  } catch (error) {
    cluster.close()
    throw error
  }
}

async function open(
  options: KafkaLogOptions,
  settings: KafkaSettings,
  cluster: KafkaCluster,
): Promise<LogOnKafka> {
  const topic = await cluster.refresh()
  if (topic === undefined) {
    throw noTopic(settings)
  }
  await checkTopic(settings, topic, cluster.bootstrap, options.partitions)
  const ends = new Array<number>(topic.partitions).fill(0)
  const producer = new KafkaProducer({
    ...DEFAULTS,
    ...options,
    settings,
    cluster,
    partitions: topic.partitions,
    producerId: await cluster.producerId(),
    onStored: (partition, end) => (ends[partition] = Math.max(ends[partition], end)),
  })
  return new LogOnKafka({ ...options, settings, cluster, producer, ends })
}

interface Parts {
  readonly epoch: number
  readonly onFatal?: (error: RivuletError) => void
  readonly settings: KafkaSettings
  readonly cluster: KafkaCluster
  readonly producer: KafkaProducer
  /** By partition: the lowest position at which its end can be. */
  readonly ends: number[]
}

class LogOnKafka implements KafkaLog {
  readonly epoch: number
  readonly partitions: number
  readonly #parts: Parts
  readonly #consumers = new Map<string, ReaderConsumer>()
  readonly #followers = new Set<ReaderFollower>()
  #failure: RivuletError | undefined
  #closing: Promise<void> | undefined

  constructor(parts: Parts) {
    this.epoch = parts.epoch
    this.partitions = parts.ends.length
    this.#parts = parts
  }

  partitionOf(key: number): number {
    return partitionOfKey(encodeKey(key), this.partitions)
  }

  append(records: readonly LogRecord[]): Promise<readonly number[]> {
    return this.#parts.producer.append(records)
  }

  async consumer(group: string, onAssigned?: OnAssigned): Promise<LogConsumer> {
    this.#checkReadable()
    if (this.#consumers.has(group)) throw groupTaken(group)
    const { settings, cluster } = this.#parts
    const reader = new KafkaReader({
      settings,
      cluster,
      group: groupIdOf(settings.topic, group),
      onProgress: () => consumer.wake(),
      onEnd: (partition, end) => this.#onEnd(partition, end),
      onAssigned,
    })
    const consumer = new ReaderConsumer({
      reader,
      partitions: this.partitions,
      onCommit: async (partition, position) => {
        await this.#checkEnd(partition, position)
        reader.commit(partition, position)
      },
      onClose: () => this.#consumers.delete(group),
      onReadError: (error) => error as RivuletError,
      failure: () => this.#failure,
    })
    this.#consumers.set(group, consumer)
    return consumer
  }

  async follow(): Promise<LogFollower> {
    this.#checkReadable()
    const { settings, cluster } = this.#parts
    const reader = new KafkaFetcher({
      settings,
      cluster,
      onFetched: () => follower.wake(),
      onEnd: (partition, end) => this.#onEnd(partition, end),
    })
    const follower = new ReaderFollower({
      reader,
      partitions: this.partitions,
      onClose: () => this.#followers.delete(follower),
      onReadError: (error) => error as RivuletError,
      failure: () => this.#failure,
    })
    this.#followers.add(follower)
    return follower
  }

  #checkReadable(): void {
    if (this.#closing !== undefined) throw logClosed()
    if (this.#failure !== undefined) throw this.#failure
  }

  #cursors(): readonly ReaderCursor[] {
    return [...this.#consumers.values(), ...this.#followers]
  }

  #onEnd(partition: number, end: number): void {
    const { ends } = this.#parts
    ends[partition] = Math.max(ends[partition], end)
  }

  async #checkEnd(partition: number, position: number): Promise<void> {
    const { ends, cluster } = this.#parts
    if (position <= ends[partition]) return
    const [{ end }] = await cluster.boundsOf([partition])
    this.#onEnd(partition, end)
    if (position > end) {
      throw new RivuletError('invalid_request', `position ${position} is above the end of the log`)
    }
  }

  async bounds(): Promise<readonly LogBounds[]> {
    return this.#parts.cluster.bounds()
  }

  lag(group: string): Promise<readonly number[]> {
    const { settings, cluster } = this.#parts
    return groupLag(settings, cluster, groupIdOf(settings.topic, group))
  }

  /**
   * Only checks its arguments: Kafka removes records by age alone (`retention.ms` of the topic), whatever was read or
   * released. A consumer that is further behind than that misses records.
   */
  async release(positions: readonly number[]): Promise<void> {
    if (positions.length !== this.partitions) {
      throw new RivuletError('invalid_request', `this log has ${this.partitions} partitions`)
    }
    positions.forEach(checkPosition)
    if (this.#closing !== undefined) throw logClosed()
  }

  fail(error: RivuletError): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    this.#parts.producer.fail(error)
    for (const cursor of this.#cursors()) cursor.wake()
    this.#parts.onFatal?.(error)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#parts.producer.close()
    await Promise.all(this.#cursors().map((cursor) => cursor.close()))
    this.#parts.cluster.close()
  }
}
