/**
 * Sends the batches of the lanes. Each broker gets one request at a time, with a batch for every partition that it leads
 * and that has one.
 *
 * It implements the protocol of the idempotent producer itself, on the client's requests. The client's own producer
 * counts sequence numbers wrongly when only some partitions of a request succeed. And it cannot ask another broker or drop
 * a connection without changing the producer id, on which lane.ts depends.
 */

import { NumericMap, type Connection } from '@platformatic/kafka'
import { RivuletError } from '../../../core/errors.ts'
import type { Piece } from './calls.ts'
import type { KafkaCluster, ProducerId } from './cluster.ts'
import type { Lane } from './lane.ts'
import type { Leader } from './leaders.ts'
import { KafkaLink } from './link.ts'
import { backoffMs, CODE, describeError, nameOf, PRODUCE_TIMEOUT_MS, type KafkaSettings } from './settings.ts'

export interface SenderOptions {
  readonly settings: KafkaSettings
  readonly cluster: KafkaCluster
  readonly producerId: ProducerId
  readonly lanes: readonly Lane[]
  /** The piece is in the log, from `base` on; `undefined` when its positions are not known. */
  readonly onConfirmed: (piece: Piece, base: number | undefined) => void
  readonly onStored: (partition: number, end: number) => void
  /** The cluster has lost acknowledged records, or may have: the log cannot keep its promises any more. */
  readonly onLost: (error: RivuletError) => void
}

const REQUEST_BYTES_MAX = 8 * 1_024 * 1_024
/** Below a day, after which brokers forget a silent producer (`producer.id.expiration.ms`) and what it has sent. */
const IN_DOUBT_MS_MAX = 12 * 3_600_000
/** Leaders change now and then, so the operator is told only of failures that do not pass at once. */
const NOTICE_FAILURES = 3
const ALL_REPLICAS = -1

const LOST_CODES: readonly number[] = [
  CODE.outOfOrderSequence,
  CODE.invalidProducerEpoch,
  CODE.invalidProducerIdMapping,
  CODE.unknownProducerId,
]

export class KafkaSender {
  readonly #options: SenderOptions
  readonly #link: KafkaLink
  readonly #busyNodes = new Set<number>()
  #turn = 0
  #scheduled = false
  #stopped = false
  #trouble: string | undefined
  #noticed = false

  constructor(options: SenderOptions) {
    this.#options = options
    this.#link = new KafkaLink(options.settings)
  }

  get trouble(): string {
    return this.#trouble ?? 'no answer yet'
  }

  /** Sends after a turn, in which callers that the last batch answered append again, and so share the next batch. */
  schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    void this.#options.settings.env.yield().then(() => {
      this.#scheduled = false
      this.#dispatch()
    })
  }

  stop(): void {
    this.#stopped = true
    this.#link.close()
  }

  #dispatch(): void {
    if (this.#stopped) return
    const leaders = new Map<number, Leader>()
    for (const lane of this.#options.lanes) {
      if (!lane.ready) continue
      const leader = this.#leaderOf(lane)
      if (leader === undefined) this.#rest([lane], new Error(`partition ${lane.partition} has no leader`))
      else leaders.set(leader.node, leader)
    }
    for (const leader of leaders.values()) {
      if (!this.#busyNodes.has(leader.node)) void this.#serve(leader)
    }
  }

  #leaderOf({ partition }: Lane): Leader | undefined {
    return this.#options.cluster.topic?.leaders[partition]
  }

  async #serve(leader: Leader): Promise<void> {
    this.#busyNodes.add(leader.node)
    let taken: readonly Lane[] = []
    try {
      const connection = await this.#link.connect(leader)
      // From here on, these batches may be in the log, whatever the answer.
      taken = this.#take(this.#lanesOf(leader))
      if (taken.length > 0) await this.#send(connection, taken)
    } catch (error) {
      this.#rest(taken.length > 0 ? taken : this.#lanesOf(leader), error)
    } finally {
      for (const lane of taken) lane.busy = false
      this.#busyNodes.delete(leader.node)
      this.schedule()
    }
  }

  /** The ready lanes of a broker. They take turns at being first, since one request may not have room for all. */
  #lanesOf({ node }: Leader): Lane[] {
    const { lanes } = this.#options
    const first = this.#turn++ % lanes.length
    return [...lanes.slice(first), ...lanes.slice(0, first)].filter(
      (lane) => lane.ready && this.#leaderOf(lane)?.node === node,
    )
  }

  #take(lanes: readonly Lane[]): Lane[] {
    const nowMs = this.#options.settings.env.monotonicMs()
    let bytes = 0
    return lanes.filter((lane) => {
      const batch = bytes < REQUEST_BYTES_MAX ? lane.take(nowMs) : undefined
      if (batch !== undefined && nowMs - batch.sentMs > IN_DOUBT_MS_MAX) {
        this.#lost(lane, 'a batch was not confirmed for so long that repeating it could store it twice')
      }
      bytes += batch?.bytes ?? 0
      lane.busy = batch !== undefined
      return lane.busy
    })
  }

  async #send(connection: Connection, lanes: readonly Lane[]): Promise<void> {
    if (this.#stopped) return
    const { producerId, settings } = this.#options
    const sequences = new NumericMap()
    for (const { partition, sequence } of lanes) sequences.set(`${settings.topic}:${partition}`, sequence)
    const records = lanes.flatMap(({ batch }) => batch?.records ?? [])
    const response = await this.#link.request(
      connection,
      'produce',
      ALL_REPLICAS,
      PRODUCE_TIMEOUT_MS,
      records,
      { compression: 'none', producerId: producerId.id, producerEpoch: producerId.epoch, sequences },
    )
    const answers = response.responses.flatMap(({ partitionResponses }) => partitionResponses)
    for (const lane of lanes) {
      const answer = answers.find(({ index }) => index === lane.partition)
      this.#settle(lane, answer?.errorCode, Number(answer?.baseOffset ?? -1))
    }
  }

  #settle(lane: Lane, code: number | undefined, base: number): void {
    if (code === 0 || code === CODE.duplicateSequence) return this.#confirm(lane, code === 0 ? base : -1)
    if (code !== undefined && LOST_CODES.includes(code)) {
      return this.#lost(lane, `it does not know the records before (error ${code})`)
    }
    // Any other error may pass, perhaps because an operator mends something.
    this.#rest([lane], new Error(nameOf(code)))
  }

  #confirm(lane: Lane, base: number): void {
    if (base >= 0 && base < lane.end)
      return this.#lost(lane, 'its positions have started again from a lower one')
    const batch = lane.confirm(base)
    if (batch === undefined) return
    if (this.#noticed) this.#options.settings.onNotice('Kafka takes records again')
    this.#trouble = undefined
    this.#noticed = false
    // Told before the callers are answered, since they may ask for the log's bounds at once.
    if (base >= 0) this.#options.onStored(lane.partition, base + batch.records.length)
    let at = base
    for (const piece of batch.pieces) {
      this.#options.onConfirmed(piece, base < 0 ? undefined : at)
      at += piece.records.length
    }
  }

  #lost(lane: Lane, why: string): void {
    if (this.#stopped) return
    const { topic } = this.#options.settings
    const message =
      `Kafka may have lost records of the topic ${topic}, partition ${lane.partition}: ${why}. Look for an unclean ` +
      'leader election; if records are gone, raise the log epoch before the next start'
    this.#options.onLost(new RivuletError('data_corrupt', message))
  }

  /** Pauses these lanes; before they are tried again, their leaders are looked up anew. */
  #rest(lanes: readonly Lane[], error: unknown): void {
    if (this.#stopped || lanes.length === 0) return
    const { settings } = this.#options
    this.#trouble = describeError(error)
    for (const lane of lanes) {
      lane.resting = true
      lane.failures++
    }
    const failures = Math.max(...lanes.map((lane) => lane.failures))
    if (failures >= NOTICE_FAILURES && !this.#noticed) {
      this.#noticed = true
      settings.onNotice(`Kafka does not take records: ${this.#trouble}`)
    }
    settings.env.timer(backoffMs(settings.env, failures), () => void this.#wake(lanes))
  }

  async #wake(lanes: readonly Lane[]): Promise<void> {
    if (this.#stopped) return
    // A failure shows again in the next request.
    await this.#options.cluster.refresh().catch(() => undefined)
    for (const lane of lanes) lane.resting = false
    this.schedule()
  }
}
