/**
 * The consumer of any log: waits, one `next` at a time, seeks that come while one is under way, and closing.
 * What differs between adapters is in their `LogReader`.
 */

import type { RivuletError } from '../../core/errors.ts'
import { checkPartition, checkPosition, checkRecordsMax, logClosed, nextPending } from './append-checks.ts'
import type { LogBatch, LogConsumer } from './log.ts'
import { createSignal } from './signal.ts'

/** A place in a log. `seek` and `close` never come while a `read` has not returned. */
export interface LogReader {
  /** `undefined` when everything durable has been read. */
  read(recordsMax: number): Promise<LogBatch | undefined>
  readonly caughtUp: boolean
  /** Below it, this reader needs nothing of the partition any more. */
  position(partition: number): number
  seek(partition: number, position: number): void
  close(): Promise<void>
}

export interface ReaderConsumerOptions {
  readonly reader: LogReader
  readonly partitions: number
  readonly onCommit: (partition: number, position: number) => void | Promise<void>
  readonly onClose: () => void
  /** What a failed read means for the log: the error to give to the caller. */
  readonly onReadError: (error: unknown) => RivuletError
  /** Why the log cannot be read any more, if so. */
  readonly failure: () => RivuletError | undefined
}

export class ReaderConsumer implements LogConsumer {
  readonly #options: ReaderConsumerOptions
  readonly #signal = createSignal()
  readonly #seeks = new Map<number, number>()
  #busy: Promise<unknown> | undefined
  #closed = false

  constructor(options: ReaderConsumerOptions) {
    this.#options = options
  }

  /** Tells that there may be more to read, or that the log has failed. */
  wake(): void {
    this.#signal.wake()
  }

  /** Below it, this consumer needs nothing of the partition any more. */
  position(partition: number): number {
    const seek = this.#seeks.get(partition) ?? Number.POSITIVE_INFINITY
    return Math.min(seek, this.#options.reader.position(partition))
  }

  async next(recordsMax: number): Promise<LogBatch | undefined> {
    checkRecordsMax(recordsMax)
    if (this.#busy !== undefined) throw nextPending()
    const reading = this.#next(recordsMax)
    this.#busy = reading
    try {
      return await reading
    } finally {
      this.#busy = undefined
    }
  }

  async #next(recordsMax: number): Promise<LogBatch | undefined> {
    const { reader, failure } = this.#options
    while (!this.#closed) {
      const error = failure()
      if (error !== undefined) throw error
      this.#applySeeks()
      const batch = await this.#read(recordsMax)
      if (this.#closed) break
      // a seek that came meanwhile outdates the batch, and a wait would miss it
      if (this.#seeks.size > 0) continue
      if (batch !== undefined) return batch
      if (reader.caughtUp && failure() === undefined) await this.#signal.wait()
    }
    return undefined
  }

  #applySeeks(): void {
    for (const [partition, position] of this.#seeks) this.#options.reader.seek(partition, position)
    this.#seeks.clear()
  }

  async #read(recordsMax: number): Promise<LogBatch | undefined> {
    try {
      return await this.#options.reader.read(recordsMax)
    } catch (error) {
      throw this.#options.onReadError(error)
    }
  }

  async commit(partition: number, position: number): Promise<void> {
    this.#check(partition, position)
    await this.#options.onCommit(partition, position)
  }

  async seek(partition: number, position: number): Promise<void> {
    this.#check(partition, position)
    this.#seeks.set(partition, position)
    this.#signal.wake()
  }

  #check(partition: number, position: number): void {
    if (this.#closed) throw logClosed()
    checkPartition(partition, this.#options.partitions)
    checkPosition(position)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#signal.wake()
    // its caller gets the error, if there is one
    await this.#busy?.catch(() => undefined)
    await this.#options.reader.close()
    this.#options.onClose()
  }
}
