/**
 * Reads the partitions that a consumer has or that a follower chose, ahead of it and within bounds: one long poll
 * to each broker that leads some of them. A failure of any kind only makes the partitions concerned rest and look
 * for their leader.
 */

import type { fetchV17 } from '@platformatic/kafka'
import type { FollowReader } from '../consumer.ts'
import type { LogBatch } from '../log.ts'
import type { KafkaCluster } from './cluster.ts'
import { groupByLeader, type Leader } from './leaders.ts'
import { KafkaLink } from './link.ts'
import { backoffMs, CODE, describeError, type KafkaSettings } from './settings.ts'
import { Track } from './track.ts'

export interface FetcherOptions {
  readonly settings: KafkaSettings
  readonly cluster: KafkaCluster
  readonly onFetched: () => void
  /** The log goes at least so far. */
  readonly onEnd: (partition: number, end: number) => void
}

const BUFFERED_BYTES_MAX = 16 * 1_024 * 1_024
const TRACK_BYTES_MAX = 2 * 1_024 * 1_024
const RESPONSE_BYTES_MAX = 4 * 1_024 * 1_024
const PARTITION_BYTES_MAX = 1_024 * 1_024
/** How long a broker waits for a record. A seek or a newly assigned partition waits for it, too. */
const POLL_MS = 250
/** While a full partition is left out, which may have room again at any moment. */
const SHORT_POLL_MS = 20
const COMMITTED_ONLY = 1
const NOTICE_FAILURES = 3

export class KafkaFetcher implements FollowReader {
  readonly #options: FetcherOptions
  readonly #link: KafkaLink
  readonly #busyNodes = new Set<number>()
  #tracks: Track[] = []
  #turn = 0
  /** Operators know. */
  #isTroubled = false
  #closed = false

  constructor(options: FetcherOptions) {
    this.#options = options
    this.#link = new KafkaLink(options.settings)
  }

  get caughtUp(): boolean {
    return this.#tracks.every((track) => track.isEmpty)
  }

  has(partition: number): boolean {
    return this.#find(partition) !== undefined
  }

  #find(partition: number): Track | undefined {
    return this.#tracks.find((track) => track.partition === partition)
  }

  /** From now on these, from these positions on; one that it had before goes on where it is, without a position. */
  assign(positions: ReadonlyMap<number, number | undefined>): void {
    this.#tracks = [...positions].map(([partition, position]) => {
      const track = this.#find(partition)
      if (track !== undefined && position !== undefined) track.seek(position)
      return track ?? new Track(partition, position ?? 0)
    })
    this.#pump()
  }

  seek(partition: number, position: number): void {
    const track = this.#find(partition)
    if (track === undefined) this.#tracks.push(new Track(partition, position))
    else track.seek(position)
    this.#pump()
  }

  leave(partition: number): void {
    this.#tracks = this.#tracks.filter((track) => track.partition !== partition)
  }

  /** Partitions take turns. */
  async read(recordsMax: number): Promise<LogBatch | undefined> {
    for (let tries = 0; tries < this.#tracks.length; tries++) {
      const batch = this.#tracks[this.#turn++ % this.#tracks.length].take(recordsMax)
      if (batch === undefined) continue
      this.#pump()
      return batch
    }
    return undefined
  }

  /** Begins a poll wherever there is none and room for its answer. */
  #pump(): void {
    if (this.#closed) return
    const bufferedBytes = this.#tracks.reduce((sum, track) => sum + track.bufferedBytes, 0)
    if (bufferedBytes > BUFFERED_BYTES_MAX) return
    const topic = this.#options.cluster.topic
    const awake = this.#tracks.filter((track) => !track.resting)
    const lost = awake.filter(({ partition }) => topic?.leaders[partition] === undefined)
    if (lost.length > 0) this.#rest(lost, new Error('no leader'))
    const led = groupByLeader(
      topic,
      awake.map(({ partition }) => partition),
    )
    for (const [leader, partitions] of led) {
      const all = awake.filter(({ partition }) => partitions.includes(partition))
      const tracks = all.filter((track) => track.bufferedBytes < TRACK_BYTES_MAX)
      if (tracks.length === 0 || this.#busyNodes.has(leader.node)) continue
      void this.#poll(leader, tracks, tracks.length < all.length ? SHORT_POLL_MS : POLL_MS)
    }
  }

  async #poll(leader: Leader, tracks: readonly Track[], waitMs: number): Promise<void> {
    this.#busyNodes.add(leader.node)
    try {
      await this.#fetch(leader, tracks, waitMs)
    } catch (error) {
      this.#rest(tracks, error)
    } finally {
      this.#busyNodes.delete(leader.node)
      this.#pump()
    }
  }

  async #fetch(leader: Leader, tracks: readonly Track[], waitMs: number): Promise<void> {
    const { cluster, onFetched } = this.#options
    const connection = await this.#link.connect(leader)
    const versions = new Map(tracks.map((track) => [track, track.version]))
    const partitions = tracks.map(({ partition, fetchAt }) => ({
      partition,
      fetchOffset: BigInt(fetchAt),
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
      partitionMaxBytes: PARTITION_BYTES_MAX,
    }))
    const response = await this.#link.request(
      connection,
      'fetch',
      waitMs,
      1,
      RESPONSE_BYTES_MAX,
      COMMITTED_ONLY,
      0,
      0,
      [{ topicId: cluster.topic?.id ?? '', partitions }],
      [],
      '',
    )
    const answers = response.responses.flatMap((topic) => topic.partitions)
    for (const track of tracks) {
      if (track.version !== versions.get(track)) continue
      const answer = answers.find(({ partitionIndex }) => partitionIndex === track.partition)
      await this.#settle(track, answer)
    }
    onFetched()
  }

  async #settle(track: Track, answer: fetchV17.FetchResponsePartition | undefined): Promise<void> {
    if (answer?.errorCode === CODE.offsetOutOfRange) return this.#moveIntoRange(track)
    if (answer?.errorCode !== 0) {
      return this.#rest([track], new Error(`the broker answers with code ${answer?.errorCode}`))
    }
    this.#options.onEnd(track.partition, Number(answer.highWatermark))
    track.put(answer.records ?? [])
    this.#tellWell()
  }

  /** Retention has removed what was asked for, or there was never such a position. */
  async #moveIntoRange(track: Track): Promise<void> {
    const { version, fetchAt, partition } = track
    const [{ start, end }] = await this.#options.cluster.boundsOf([partition])
    if (track.version === version) track.seek(fetchAt < start ? start : end)
  }

  #rest(tracks: readonly Track[], reason: unknown): void {
    const { env } = this.#options.settings
    if (this.#closed) return
    for (const track of tracks) {
      track.resting = true
      track.failures++
    }
    const failures = Math.max(...tracks.map((track) => track.failures))
    if (failures >= NOTICE_FAILURES) this.#tellTrouble(reason)
    env.timer(backoffMs(env, failures), () => void this.#wake(tracks))
  }

  /** Once, until all is well again: it goes on trying, whatever it is. */
  #tellTrouble(reason: unknown): void {
    const { onNotice, topic } = this.#options.settings
    if (!this.#isTroubled) onNotice(`Kafka: the topic ${topic} is not read: ${describeError(reason)}`)
    this.#isTroubled = true
  }

  #tellWell(): void {
    if (!this.#isTroubled || this.#tracks.some(({ failures }) => failures > 0)) return
    const { onNotice, topic } = this.#options.settings
    onNotice(`Kafka: the topic ${topic} is read again`)
    this.#isTroubled = false
  }

  async #wake(tracks: readonly Track[]): Promise<void> {
    if (this.#closed) return
    // a failure shows in the next poll
    await this.#options.cluster.refresh().catch(() => undefined)
    for (const track of tracks) track.resting = false
    this.#pump()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#link.close()
  }
}
