/** The state of reading one partition: records that were fetched and not yet returned, and where to go on. */

import type { RecordsBatch } from '@platformatic/kafka'
import { LIMITS } from '../../../core/limits.ts'
import type { LogBatch } from '../log.ts'

/** The attribute of batches without records of ours, such as the marker of a transaction. */
const IS_CONTROL = 1 << 5
const EMPTY = new Uint8Array(0)
/** The memory that a record takes beyond its bytes. */
const RECORD_OVERHEAD_BYTES = 64

export class Track {
  readonly partition: number
  /** Changes with each seek, which outdates fetches that began before it. */
  version = 0
  /** Pauses after a failure. */
  resting = false
  failures = 0
  #fetchAt: number
  /** `from` of the next batch that `take` returns. */
  #takeAt: number
  #positions: number[] = []
  #values: Uint8Array[] = []
  #taken = 0
  #bytes = 0

  constructor(partition: number, position: number) {
    this.partition = partition
    this.#fetchAt = this.#takeAt = position
  }

  get fetchAt(): number {
    return this.#fetchAt
  }

  get bufferedBytes(): number {
    return this.#bytes
  }

  get isEmpty(): boolean {
    return this.#taken === this.#positions.length
  }

  seek(position: number): void {
    this.version++
    this.#fetchAt = this.#takeAt = position
    this.#positions = []
    this.#values = []
    this.#taken = this.#bytes = 0
  }

  put(batches: readonly RecordsBatch[]): void {
    this.failures = 0
    const from = this.#fetchAt
    for (const { firstOffset, lastOffsetDelta, attributes, records } of batches) {
      const base = Number(firstOffset)
      this.#fetchAt = Math.max(this.#fetchAt, base + lastOffsetDelta + 1)
      if ((attributes & IS_CONTROL) !== 0) continue
      for (const { offsetDelta, value } of records) {
        // A broker sends whole batches, even when the fetch began in the middle of one.
        if (base + offsetDelta < from) continue
        this.#positions.push(base + offsetDelta)
        this.#values.push(value ?? EMPTY)
        this.#bytes += RECORD_OVERHEAD_BYTES + (value?.byteLength ?? 0)
      }
    }
  }

  take(recordsMax: number): LogBatch | undefined {
    const first = this.#taken
    let bytes = 0
    while (this.#taken < this.#positions.length && this.#taken - first < recordsMax) {
      if (bytes >= LIMITS.workerBatchBytesMax) break
      bytes += this.#values[this.#taken++].byteLength
    }
    if (this.#taken === first) return undefined
    this.#bytes -= bytes + RECORD_OVERHEAD_BYTES * (this.#taken - first)
    const positions = this.#positions.slice(first, this.#taken)
    const values = this.#values.slice(first, this.#taken)
    this.#values.fill(EMPTY, first, this.#taken)
    if (this.isEmpty) {
      this.#positions = []
      this.#values = []
      this.#taken = 0
    }
    const from = this.#takeAt
    const next = (this.#takeAt = positions[positions.length - 1] + 1)
    return { partition: this.partition, from, positions, values, next }
  }
}
