/**
 * What is known of the cluster: its brokers, and the leader of each partition of the topic. Brokers are asked in turn
 * until one answers, so that dead and frozen ones are passed over, and again after a request has failed.
 */

import { sleep } from '../../env/sleep.ts'
import type { Broker } from '@platformatic/kafka'
import { RivuletError } from '../../../core/errors.ts'
import type { LogBounds } from '../log.ts'
import { groupByLeader, type Leader, type TopicState } from './leaders.ts'
import { KafkaLink } from './link.ts'
import { backoffMs, brokerOf, CODE, nameOf, unreachable, type KafkaSettings } from './settings.ts'

export interface ProducerId {
  readonly id: bigint
  readonly epoch: number
}

const EARLIEST = -2n
const LATEST = -1n
/** Unused without transactions, but brokers refuse values outside of their limits. */
const TRANSACTION_TIMEOUT_MS = 60_000
const PRODUCER_ID_TRIES = 10
/** A broker that takes longer is passed over: nothing that is asked here has to wait for replicas. */
const ANSWER_WITHIN_MS = 2_000
const ROUNDS = 2
/** Callers that see the same failure within this time share one look-up. */
const FRESH_MS = 50

export class KafkaCluster {
  readonly #settings: KafkaSettings
  readonly #link: KafkaLink
  /** In the order in which they are asked next. */
  #brokers: Broker[]
  #topic: TopicState | undefined
  #topicAtMs = Number.NEGATIVE_INFINITY
  #refreshing: Promise<TopicState | undefined> | undefined

  constructor(settings: KafkaSettings) {
    this.#settings = settings
    this.#link = new KafkaLink(settings, ANSWER_WITHIN_MS)
    this.#brokers = settings.brokers.map(brokerOf)
  }

  /** The state that was last seen. */
  get topic(): TopicState | undefined {
    return this.#topic
  }

  /** The brokers' addresses, those that answer first: for clients that ask in a fixed order. */
  get bootstrap(): string[] {
    return this.#brokers.map(({ host, port }) => `${host}:${port}`)
  }

  /** @returns `undefined` when there is no such topic */
  refresh(): Promise<TopicState | undefined> {
    if (this.#settings.env.monotonicMs() - this.#topicAtMs < FRESH_MS) return Promise.resolve(this.#topic)
    this.#refreshing ??= this.#ask((broker) => this.#look(broker)).finally(
      () => (this.#refreshing = undefined),
    )
    return this.#refreshing
  }

  /** Gets a new producer id. Brokers do not recognise records that were sent under an earlier id. */
  async producerId(): Promise<ProducerId> {
    for (let tries = 1; ; tries++) {
      const response = await this.#ask(async (broker) => {
        const connection = await this.#link.connect(broker)
        return this.#link.request(connection, 'initProducerId', null, TRANSACTION_TIMEOUT_MS, -1n, -1)
      })
      if (response.errorCode === 0) return { id: response.producerId, epoch: response.producerEpoch }
      // A broker that has just started has to get ids itself first.
      const failure = new Error(`no producer id: ${nameOf(response.errorCode)}`)
      if (tries === PRODUCER_ID_TRIES) throw unreachable(this.#settings.brokers, failure)
      await sleep(this.#settings.env, backoffMs(this.#settings.env, tries))
    }
  }

  async bounds(): Promise<readonly LogBounds[]> {
    const all = Array.from({ length: this.#topic?.partitions ?? 0 }, (_, partition) => partition)
    return this.boundsOf(all)
  }

  async boundsOf(partitions: readonly number[]): Promise<readonly LogBounds[]> {
    const [starts, ends] = await Promise.all([
      this.#offsets(partitions, EARLIEST),
      this.#offsets(partitions, LATEST),
    ])
    return starts.map((start, n) => ({ start, end: ends[n] }))
  }

  async #offsets(partitions: readonly number[], timestamp: bigint): Promise<number[]> {
    const found = new Map<number, number>()
    for (let tries = 0; tries < 2; tries++) {
      // The leaders may have changed since the first try.
      const topic = tries === 0 ? this.#topic : await this.refresh()
      const missing = partitions.filter((partition) => !found.has(partition))
      const led = groupByLeader(topic, missing)
      await Promise.all(
        led.map(([leader, own]) => this.#offsetsAt(leader, own, timestamp, found).catch(() => undefined)),
      )
      if (partitions.every((partition) => found.has(partition))) {
        return partitions.map((partition) => found.get(partition) as number)
      }
    }
    throw unreachable(this.#settings.brokers, new Error('a partition has no leader that answers'))
  }

  async #offsetsAt(
    leader: Leader,
    partitions: readonly number[],
    timestamp: bigint,
    found: Map<number, number>,
  ): Promise<void> {
    const connection = await this.#link.connect(leader)
    const wanted = partitions.map((partitionIndex) => ({ partitionIndex, currentLeaderEpoch: -1, timestamp }))
    const topics = [{ name: this.#settings.topic, partitions: wanted }]
    const response = await this.#link.request(connection, 'listOffsets', -1, 0, topics)
    for (const { partitionIndex, errorCode, offset } of response.topics[0]?.partitions ?? []) {
      if (errorCode === 0) found.set(partitionIndex, Number(offset))
    }
  }

  async #ask<T>(task: (broker: Broker) => Promise<T>): Promise<T> {
    let failure: unknown
    for (let tries = ROUNDS * this.#brokers.length; tries > 0; tries--) {
      const [broker] = this.#brokers
      try {
        return await task(broker)
      } catch (error) {
        if (error instanceof RivuletError) throw error
        failure = error
        this.#brokers = [...this.#brokers.filter((other) => other !== broker), broker]
      }
    }
    throw unreachable(this.#settings.brokers, failure)
  }

  async #look(broker: Broker): Promise<TopicState | undefined> {
    const connection = await this.#link.connect(broker)
    const { brokers, topics } = await this.#link.request(
      connection,
      'metadata',
      [this.#settings.topic],
      false,
      false,
    )
    const [topic] = topics
    if (topic === undefined || topic.errorCode === CODE.unknownTopic) return undefined
    if (topic.errorCode === CODE.topicDenied) {
      throw new RivuletError(
        'config_invalid',
        `Kafka denies access to the topic ${this.#settings.topic}; grant the user of this process DESCRIBE, READ and WRITE on it`,
      )
    }
    if (topic.partitions.length === 0) throw new Error(`metadata: error ${topic.errorCode}`)
    this.#learn(brokers)
    const leaders: (Leader | undefined)[] = []
    for (const { partitionIndex, leaderId } of topic.partitions) {
      const leader = brokers.find(({ nodeId }) => nodeId === leaderId)
      leaders[partitionIndex] = leader && { node: leaderId, host: leader.host, port: leader.port }
    }
    this.#topicAtMs = this.#settings.env.monotonicMs()
    const state = {
      id: topic.topicId,
      partitions: leaders.length,
      replicas: Math.min(...topic.partitions.map(({ replicaNodes }) => replicaNodes.length)),
      brokers: brokers.length,
      leaders,
    }
    this.#checkSame(state)
    this.#topic = state
    return state
  }

  /** Fails the log when the topic was replaced or got partitions: positions and places of keys would be others. */
  #checkSame({ id, partitions }: TopicState): void {
    const before = this.#topic
    if (before === undefined || (before.id === id && before.partitions === partitions)) return
    const message =
      `the Kafka topic ${this.#settings.topic} was recreated or its partitions were changed while in use: ` +
      'move to a new topic, with a higher log epoch'
    const error = new RivuletError('config_invalid', message)
    this.#settings.onFatal(error)
    throw error
  }

  /** Remembers brokers that only the cluster names: they may be up while all configured ones are down. */
  #learn(found: readonly Broker[]): void {
    const known = new Set(this.bootstrap)
    for (const { host, port } of found) {
      if (!known.has(`${host}:${port}`)) this.#brokers.push({ host, port })
    }
    const current = new Set([...this.#settings.brokers, ...found.map(({ host, port }) => `${host}:${port}`)])
    this.#brokers = this.#brokers.filter(({ host, port }) => current.has(`${host}:${port}`))
  }

  close(): void {
    this.#link.close()
  }
}
