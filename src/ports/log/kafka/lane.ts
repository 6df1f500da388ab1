/**
 * The way of one partition's records into the log: a queue of pieces, and the one batch that has been sent and not yet
 * confirmed.
 *
 * A batch gets its sequence number when it is first sent. Until a broker confirms it, it is sent again *identically*, under
 * the same producer id: only then can the broker recognise a repetition, and answer it with the position of the first
 * copy. So a batch is never given up and never changed, and nothing else goes to its partition meanwhile, even if its
 * callers were answered with `outcome_unknown` long ago. Giving it up and starting a new producer would be quicker, and
 * wrong: a copy that is still in some buffer could enter the log after newer records of the same key, or a second time.
 */

import type { MessageRecord } from '@platformatic/kafka'
import { LIMITS } from '../../../core/limits.ts'
import type { Piece } from './calls.ts'

/** The most bytes that a record takes beyond its value: key, lengths, offset, timestamp. */
export const RECORD_OVERHEAD_BYTES = 64
/** Room for the largest record. The topic's `max.message.bytes` is higher. */
export const BATCH_BYTES_MAX = LIMITS.logRecordBytesMax + 1_024

export interface Batch {
  readonly pieces: readonly Piece[]
  readonly records: readonly MessageRecord[]
  readonly bytes: number
  readonly sentMs: number
}

/** Sequence numbers have 31 bits, and start again from 0. */
const SEQUENCES = 2 ** 31

export class Lane {
  readonly partition: number
  /** Sequence number of the first record of `batch`, or of the next batch. */
  sequence = 0
  /** The position after the last confirmed record. */
  end = 0
  batch: Batch | undefined
  /** A request with the batch is under way. */
  busy = false
  /** Pauses after a failure. */
  resting = false
  failures = 0
  #queue: Piece[] = []
  #taken = 0

  constructor(partition: number) {
    this.partition = partition
  }

  get ready(): boolean {
    return !this.busy && !this.resting && this.hasWork
  }

  get hasWork(): boolean {
    return this.batch !== undefined || this.#taken < this.#queue.length
  }

  put(piece: Piece): void {
    this.#queue.push(piece)
  }

  /** Returns the batch to send: the unconfirmed one, or a new one of queued pieces. `undefined` if there are none. */
  take(nowMs: number): Batch | undefined {
    if (this.batch !== undefined) return this.batch
    const pieces: Piece[] = []
    let bytes = 0
    for (; this.#taken < this.#queue.length; this.#taken++) {
      const piece = this.#queue[this.#taken]
      if (piece.state === 'withdrawn') continue
      if (bytes > 0 && bytes + piece.bytes > BATCH_BYTES_MAX) break
      piece.state = 'sent'
      pieces.push(piece)
      bytes += piece.bytes
    }
    this.#compact()
    if (pieces.length === 0) return undefined
    const records = pieces.flatMap((piece) => piece.records)
    this.batch = { pieces, records, bytes, sentMs: nowMs }
    return this.batch
  }

  /** The batch is in the log, from `base` on; -1 when its positions are not known. */
  confirm(base: number): Batch | undefined {
    const { batch } = this
    if (batch === undefined) return undefined
    this.sequence = (this.sequence + batch.records.length) % SEQUENCES
    if (base >= 0) this.end = base + batch.records.length
    this.batch = undefined
    this.failures = 0
    return batch
  }

  /** Drops withdrawn pieces; in a long outage, those are all that were queued. */
  sweep(): void {
    this.#queue = this.#queue.slice(this.#taken).filter(({ state }) => state === 'queued')
    this.#taken = 0
  }

  #compact(): void {
    if (this.#taken < 1_024 && this.#taken < this.#queue.length) return
    this.#queue = this.#queue.slice(this.#taken)
    this.#taken = 0
  }
}
