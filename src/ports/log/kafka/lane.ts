/**
 * One partition's way into the log: a queue of pieces, and the one batch that is on its way.
 *
 * A batch has its sequence number from the moment it is first sent, and is sent again *identically*, under the
 * same producer id, until a broker confirms it: only then can the broker tell a repetition from something new,
 * and answers it with the position of the first copy. A batch is therefore never given up, never changed, and
 * nothing else goes to its partition meanwhile; its callers may long have been told `outcome_unknown`.
 * Giving it up for a new producer would be quicker, and wrong: a copy that still lies in some buffer could enter
 * the log after newer records of the same key, or twice.
 */

import type { MessageRecord } from '@platformatic/kafka'
import { LIMITS } from '../../../core/limits.ts'
import type { Piece } from './calls.ts'

/** Of a record beyond its value, at most: key, lengths, offset, timestamp. */
export const RECORD_OVERHEAD_BYTES = 64
/** One record always fits. The topic's `max.message.bytes` is above it. */
export const BATCH_BYTES_MAX = LIMITS.logRecordBytesMax + 1_024

export interface Batch {
  readonly pieces: readonly Piece[]
  readonly records: readonly MessageRecord[]
  readonly bytes: number
  readonly sentMs: number
}

/** Sequence numbers are 31 bits and begin again. */
const SEQUENCES = 2 ** 31

export class Lane {
  readonly partition: number
  /** Of the next record that was never sent. */
  sequence = 0
  /** Behind the last record that was confirmed. */
  end = 0
  batch: Batch | undefined
  /** A request with its batch is under way. */
  busy = false
  /** Waits after a failure. */
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

  /** The batch to send: the one in doubt, or a new one of what is queued; nothing if all of that was withdrawn. */
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

  /** The batch is in the log, from `base` on if that is known. */
  confirm(base: number): Batch | undefined {
    const { batch } = this
    if (batch === undefined) return undefined
    this.sequence = (this.sequence + batch.records.length) % SEQUENCES
    if (base >= 0) this.end = base + batch.records.length
    this.batch = undefined
    this.failures = 0
    return batch
  }

  /** Lets go of what was withdrawn, which in an outage is all that comes. */
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
