/**
 * Reads ahead, within bounds, from the partitions that a consumer was assigned or a follower has chosen. Each broker that
 * leads some of them gets one long poll. After a failure of any kind, the partitions concerned pause, and their leaders
 * are looked up anew.
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
  /** The partition's end is at least `end`. */
  readonly onEnd: (partition: number, end: number) => void
}

const BUFFERED_BYTES_MAX = 16 * 1_024 * 1_024
const TRACK_BYTES_MAX = 2 * 1_024 * 1_024
const RESPONSE_BYTES_MAX = 4 * 1_024 * 1_024
const PARTITION_BYTES_MAX = 1_024 * 1_024
/** How long a broker waits for a record. A seek or a newly assigned partition waits for it, too. */
const POLL_MS = 250
/** Used while a partition with a full buffer is left out of the poll, since it may have room again at any moment. */
const SHORT_POLL_MS = 20
const COMMITTED_ONLY = 1
const NOTICE_FAILURES = 3

export class KafkaFetcher implements FollowReader {
  readonly #options: FetcherOptions
  readonly #link: KafkaLink
  readonly #busyNodes = new Set<number>()
  #tracks: Track[] = []
  #turn = 0
  /** The operator has been told of trouble. */
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

  /** Reads exactly these partitions, each from its position; one without a position goes on where it was. */
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

  /** Returns a batch of one partition; the partitions take turns. */
  async read(recordsMax: number): Promise<LogBatch | undefined> {
    for (let tries = 0; tries < this.#tracks.length; tries++) {
      const batch = this.#tracks[this.#turn++ % this.#tracks.length].take(recordsMax)
      if (batch === undefined) continue
      this.#pump()
      return batch
    }
    return undefined
  }

  /** Begins a poll of every broker that has none, if there is room for the answer. */
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

  /** Retention has removed the position, or it is beyond the end. */
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

  /** Tells the operator once, until reading works again. The fetcher goes on trying in any case. */
  #tellTrouble(reason: unknown): void {
    const { onNotice, topic } = this.#options.settings
    if (!this.#isTroubled) onNotice(`Kafka: the topic ${topic} cannot be read: ${describeError(reason)}`)
    this.#isTroubled = true
  }

  #tellWell(): void {
    if (!this.#isTroubled || this.#tracks.some(({ failures }) => failures > 0)) return
    const { onNotice, topic } = this.#options.settings
    onNotice(`Kafka: the topic ${topic} can be read again`)
    this.#isTroubled = false
  }

  async #wake(tracks: readonly Track[]): Promise<void> {
    if (this.#closed) return
    // A failure shows again in the next poll.
    await this.#options.cluster.refresh().catch(() => undefined)
    for (const track of tracks) track.resting = false
    this.#pump()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#link.close()
  }
}
