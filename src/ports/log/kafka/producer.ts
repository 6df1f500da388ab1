/**
 * The append side: group commit. `append` copies its records into the queues of their partitions at once; the sender
 * takes everything queued for a partition as its next batch.
 */

import type { MessageRecord } from '@platformatic/kafka'
import { RivuletError } from '../../../core/errors.ts'
import { checkAppend, logClosed } from '../append-checks.ts'
import type { LogRecord } from '../log.ts'
import { Calls, type Call, type Piece } from './calls.ts'
import type { KafkaCluster, ProducerId } from './cluster.ts'
import { BATCH_BYTES_MAX, Lane, RECORD_OVERHEAD_BYTES } from './lane.ts'
import { encodeKey, partitionOfKey } from './partitioner.ts'
import { KafkaSender } from './sender.ts'
import type { KafkaSettings } from './settings.ts'

export interface ProducerOptions {
  readonly settings: KafkaSettings
  readonly cluster: KafkaCluster
  readonly partitions: number
  readonly producerId: ProducerId
  readonly appendDeadlineMs: number
  readonly queuedBytesMax: number
  readonly onStored: (partition: number, end: number) => void
}

export class KafkaProducer {
  readonly #options: ProducerOptions
  readonly #lanes: readonly Lane[]
  readonly #calls: Calls
  readonly #sender: KafkaSender
  #queuedBytes = 0
  #refusal: RivuletError | undefined

  constructor(options: ProducerOptions) {
    this.#options = options
    this.#lanes = Array.from({ length: options.partitions }, (_, partition) => new Lane(partition))
    this.#sender = new KafkaSender({
      ...options,
      lanes: this.#lanes,
      onConfirmed: (piece, base) => this.#confirmed(piece, base),
      onLost: options.settings.onFatal,
    })
    this.#calls = new Calls({
      env: options.settings.env,
      onWithdrawn: (piece) => (this.#queuedBytes -= heldBytes(piece)),
      onSwept: () => this.#lanes.forEach((lane) => lane.sweep()),
      trouble: () => this.#sender.trouble,
    })
  }

  append(records: readonly LogRecord[]): Promise<readonly number[]> {
    return new Promise((resolve, reject) => {
      this.#check(records)
      if (records.length === 0) return resolve([])
      const deadlineMs = this.#options.settings.env.monotonicMs() + this.#options.appendDeadlineMs
      const pieces: Piece[] = []
      const call: Call = {
        positions: [],
        pieces,
        deadlineMs,
        resolve,
        reject,
        piecesLeft: 0,
        answered: false,
      }
      for (const part of this.#part(records)) this.#queue(call, part)
      this.#calls.add(call)
      this.#sender.schedule()
    })
  }

  #check(records: readonly LogRecord[]): void {
    if (this.#refusal !== undefined) throw this.#refusal
    checkAppend(records)
    if (this.#queuedBytes > this.#options.queuedBytesMax) {
      throw new RivuletError('overloaded', 'too many bytes wait to be written to the log; retry later', {
        retryAfterMs: 1_000,
      })
    }
  }

  /** Splits a call by partition. Records that fit one batch stay together: another process could write between two. */
  #part(records: readonly LogRecord[]): Part[] {
    const { topic, env } = this.#options.settings
    // Fixed here, so that a repetition is identical. The broker stores its own time (message.timestamp.type).
    const timestamp = BigInt(Math.max(0, Math.floor(env.wallMs())))
    const parts: Part[] = []
    const open = new Map<number, Part>()
    for (const [index, { key: number, value }] of records.entries()) {
      const key = encodeKey(number)
      const partition = partitionOfKey(key, this.#lanes.length)
      const bytes = value.byteLength + RECORD_OVERHEAD_BYTES
      let part = open.get(partition)
      if (part === undefined || part.bytes + bytes > BATCH_BYTES_MAX) {
        part = { partition, indexes: [], records: [], bytes: 0 }
        parts.push(part)
        open.set(partition, part)
      }
      part.indexes.push(index)
      part.records.push({ key, value: Buffer.from(value), topic, partition, timestamp })
      part.bytes += bytes
    }
    return parts
  }

  #queue(call: Call, { partition, ...part }: Part): void {
    const piece: Piece = { call, ...part, state: 'queued' }
    call.pieces.push(piece)
    call.piecesLeft++
    this.#queuedBytes += heldBytes(piece)
    this.#lanes[partition].put(piece)
  }

  #confirmed(piece: Piece, base: number | undefined): void {
    this.#queuedBytes -= heldBytes(piece)
    if (base === undefined) this.#calls.storedSomewhere(piece)
    else this.#calls.stored(piece, base)
  }

  fail(error: RivuletError): void {
    this.#refusal = error
    this.#sender.stop()
    this.#calls.rejectAll()
  }

  /** Refuses later calls; resolves when the earlier ones are answered, one way or the other. */
  async close(): Promise<void> {
    this.#refusal ??= logClosed()
    await this.#calls.idle()
    this.#sender.stop()
  }
}

/** The memory that a piece takes beyond its bytes. */
const PIECE_OVERHEAD_BYTES = 512
const heldBytes = ({ bytes }: Piece): number => bytes + PIECE_OVERHEAD_BYTES

interface Part {
  readonly partition: number
  readonly indexes: number[]
  readonly records: MessageRecord[]
  bytes: number
}
