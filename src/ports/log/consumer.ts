/**
 * Consumers and followers of any log: waiting for records, one `next` at a time, `seek` while a `next` is under way, and
 * closing. An adapter supplies a `LogReader`.
 */

import type { RivuletError } from '../../core/errors.ts'
import type { Env } from '../env/env.ts'
import { checkPartition, checkPosition, checkRecordsMax, logClosed, nextPending } from './append-checks.ts'
import type { LogBatch, LogConsumer, LogCursor, LogFollower, OnAssigned } from './log.ts'
import { createSignal } from './signal.ts'

/** Reads a log from some position on. `seek` and `close` are never called while a `read` is under way. */
export interface LogReader {
  /** @returns `undefined` when everything durable has been read */
  read(recordsMax: number): Promise<LogBatch | undefined>
  readonly caughtUp: boolean
  /** Whether this partition is still read. Batches of other partitions are dropped. */
  has(partition: number): boolean
  /** This reader needs no record of the partition below it any more. For logs that keep records by need. */
  position?(partition: number): number
  seek(partition: number, position: number): void
  close(): Promise<void>
}

/** Starts with no partition; `seek` adds one. */
export interface FollowReader extends LogReader {
  /** May be called while a `read` is under way. */
  leave(partition: number): void
}

export interface CursorOptions<R extends LogReader> {
  readonly reader: R
  readonly partitions: number
  readonly onClose: () => void
  /** Translates the error of a failed read, and lets the log react to it. */
  readonly onReadError: (error: unknown) => RivuletError
  /** The reason why the log cannot be read any more, if there is one. */
  readonly failure: () => RivuletError | undefined
}

export interface ConsumerOptions extends CursorOptions<LogReader> {
  readonly onCommit: (partition: number, position: number) => void | Promise<void>
}

export class ReaderCursor<R extends LogReader = LogReader> implements LogCursor {
  protected readonly options: CursorOptions<R>
  /** Seeks that have not reached the reader yet, by partition. */
  protected readonly seeks = new Map<number, number>()
  /** `next` returns no batch before this resolves. */
  protected ready: Promise<void> | undefined
  protected closed = false
  readonly #signal = createSignal()
  #busy: Promise<void> | undefined

  constructor(options: CursorOptions<R>) {
    this.options = options
  }

  /** Called when there may be more to read, or the log has failed. */
  wake(): void {
    this.#signal.wake()
  }

  async next(recordsMax: number): Promise<LogBatch | undefined> {
    checkRecordsMax(recordsMax)
    if (this.#busy !== undefined) throw nextPending()
    let done = () => {}
    this.#busy = new Promise((resolve) => (done = resolve))
    try {
      if (this.ready !== undefined) await this.ready
      // Not in a function of its own: with one more await, a seek could come between this check and the caller.
      while (!this.closed) {
        const batch = await this.#read(recordsMax)
        if (this.closed) break
        if (batch !== undefined && this.#isWanted(batch)) return batch
        if (this.#isIdle()) await this.#signal.wait()
      }
      return undefined
    } finally {
      this.#busy = undefined
      done()
    }
  }

  async #read(recordsMax: number): Promise<LogBatch | undefined> {
    const { reader, failure, onReadError } = this.options
    const error = failure()
    if (error !== undefined) throw error
    for (const [partition, position] of this.seeks) reader.seek(partition, position)
    this.seeks.clear()
    try {
      return await reader.read(recordsMax)
    } catch (cause) {
      throw onReadError(cause)
    }
  }

  /** A seek during the read outdates a batch of its partition. Batches of other partitions must not be dropped. */
  #isWanted({ partition }: LogBatch): boolean {
    return !this.seeks.has(partition) && this.options.reader.has(partition)
  }

  /** Whether to wait: not when a seek has come meanwhile, whose wake would be missed. */
  #isIdle(): boolean {
    const { reader, failure } = this.options
    return this.seeks.size === 0 && reader.caughtUp && failure() === undefined
  }

  async seek(partition: number, position: number): Promise<void> {
    this.check(partition, position)
    this.seeks.set(partition, position)
    this.#signal.wake()
  }

  protected check(partition: number, position: number): void {
    if (this.closed) throw logClosed()
    checkPartition(partition, this.options.partitions)
    checkPosition(position)
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    this.#signal.wake()
    await this.#busy
    await this.options.reader.close()
    this.options.onClose()
  }
}

export class ReaderConsumer extends ReaderCursor implements LogConsumer {
  readonly #onCommit: ConsumerOptions['onCommit']

  constructor(options: ConsumerOptions) {
    super(options)
    this.#onCommit = options.onCommit
  }

  /** For logs of one process. Calls back in a later turn, so that the caller has the consumer by then. */
  assignAll(env: Pick<Env, 'yield'>, onAssigned: OnAssigned): void {
    const all = Array.from({ length: this.options.partitions }, (_, partition) => partition)
    this.ready = env.yield().then(() => {
      if (!this.closed) onAssigned(all)
    })
  }

  /** This consumer needs no record of the partition below it any more. */
  position(partition: number): number {
    const seek = this.seeks.get(partition) ?? Number.POSITIVE_INFINITY
    return Math.min(seek, this.options.reader.position?.(partition) ?? Number.POSITIVE_INFINITY)
  }

  async commit(partition: number, position: number): Promise<void> {
    this.check(partition, position)
    await this.#onCommit(partition, position)
  }
}

export class ReaderFollower extends ReaderCursor<FollowReader> implements LogFollower {
  leave(partition: number): void {
    checkPartition(partition, this.options.partitions)
    this.seeks.delete(partition)
    this.options.reader.leave(partition)
  }
}
