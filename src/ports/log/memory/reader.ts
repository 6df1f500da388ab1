/** Reads a memory log from one position per partition; the partitions take turns. */

import { LIMITS } from '../../../core/limits.ts'
import type { FollowReader } from '../consumer.ts'
import type { LogBatch } from '../log.ts'
import type { MemoryPartition, MemoryRecord } from './partition.ts'

/** Position in a partition that is not read: above every record there will ever be. */
const NOWHERE = Number.POSITIVE_INFINITY

export class MemoryReader implements FollowReader {
  readonly #partitions: readonly MemoryPartition[]
  readonly #positions: number[]
  #turn = 0

  constructor(partitions: readonly MemoryPartition[], positions?: readonly number[]) {
    this.#partitions = partitions
    this.#positions = partitions.map((_, partition) => positions?.[partition] ?? NOWHERE)
  }

  get caughtUp(): boolean {
    return this.#partitions.every(({ end }, partition) => this.#positions[partition] >= end)
  }

  has(partition: number): boolean {
    return this.#positions[partition] !== NOWHERE
  }

  position(partition: number): number {
    return this.#positions[partition]
  }

  seek(partition: number, position: number): void {
    this.#positions[partition] = position
  }

  leave(partition: number): void {
    this.#positions[partition] = NOWHERE
  }

  async read(recordsMax: number): Promise<LogBatch | undefined> {
    for (let tries = 0; tries < this.#partitions.length; tries++) {
      const partition = this.#turn
      this.#turn = (partition + 1) % this.#partitions.length
      const batch = this.#readPartition(partition, recordsMax)
      if (batch !== undefined) return batch
    }
    return undefined
  }

  async close(): Promise<void> {}

  #readPartition(partition: number, recordsMax: number): LogBatch | undefined {
    const { records, end } = this.#partitions[partition]
    const from = this.#positions[partition]
    const first = firstAt(records, from)
    let to = first
    let bytes = 0
    while (to < records.length && to - first < recordsMax && bytes < LIMITS.workerBatchBytesMax) {
      bytes += records[to++].value.byteLength
    }
    if (to === first) {
      // a seek may have gone into the gap between the last record and `end`
      this.#positions[partition] = Math.max(this.#positions[partition], end)
      return undefined
    }
    const batch = records.slice(first, to)
    const next = records[to]?.position ?? end
    this.#positions[partition] = next
    // a consumer may change what it gets; the disk must not see it
    const values = batch.map(({ value }) => new Uint8Array(value))
    return { partition, from, positions: batch.map(({ position }) => position), values, next }
  }
}

/** The index of the first record at or above `position`. */
function firstAt(records: readonly MemoryRecord[], position: number): number {
  let low = 0
  let high = records.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (records[middle].position < position) low = middle + 1
    else high = middle
  }
  return low
}
