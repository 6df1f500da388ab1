/**
 * Consumers and followers of any log: they wait, one `next` at a time, seek while one is under way, and close.
 * What differs between adapters is in their `LogReader`.
 */

import type { RivuletError } from '../../core/errors.ts'
import type { Env } from '../env/env.ts'
import { checkPartition, checkPosition, checkRecordsMax, logClosed, nextPending } from './append-checks.ts'
import type { LogBatch, LogConsumer, LogCursor, LogFollower, OnAssigned } from './log.ts'
import { createSignal } from './signal.ts'

/** A place in a log. `seek` and `close` never come while a `read` has not returned. */
export interface LogReader {
  /** `undefined` when everything durable has been read. */
  read(recordsMax: number): Promise<LogBatch | undefined>
  readonly caughtUp: boolean
  /** Whether this partition is still read: what was read of another goes to nobody. */
  has(partition: number): boolean
  /** Below it, this reader needs nothing of the partition any more; for logs that keep what is needed. */
  position?(partition: number): number
  seek(partition: number, position: number): void
  close(): Promise<void>
}

/** Begins with no partition; a `seek` adds one. */
export interface FollowReader extends LogReader {
  /** May come while a `read` has not returned. */
  leave(partition: number): void
}

export interface CursorOptions<R extends LogReader> {
  readonly reader: R
  readonly partitions: number
  readonly onClose: () => void
  /** What a failed read means for the log: the error to give to the caller. */
  readonly onReadError: (error: unknown) => RivuletError
  /** Why the log cannot be read any more, if so. */
  readonly failure: () => RivuletError | undefined
}

export interface ConsumerOptions extends CursorOptions<LogReader> {
  readonly onCommit: (partition: number, position: number) => void | Promise<void>
}

export class ReaderCursor<R extends LogReader = LogReader> implements LogCursor {
  protected readonly options: CursorOptions<R>
  /** Not applied yet. */
  protected readonly seeks = new Map<number, number>()
  /** No batch before it. */
  protected ready: Promise<void> | undefined
  protected closed = false
  readonly #signal = createSignal()
  #busy: Promise<void> | undefined

  constructor(options: CursorOptions<R>) {
    this.options = options
  }

  /** Tells that there may be more to read, or that the log has failed. */
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
      // not in a function of its own: what is wanted here is still wanted when the caller's promise resolves
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

  /** A seek that came meanwhile outdates the batch, but not those of other partitions: they do not come again. */
  #isWanted({ partition }: LogBatch): boolean {
    return !this.seeks.has(partition) && this.options.reader.has(partition)
  }

  /** A wait would miss a seek that came meanwhile. */
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

  /** For logs of one process. In a later turn, so that whoever listens has the consumer by then. */
  assignAll(env: Pick<Env, 'yield'>, onAssigned: OnAssigned): void {
    const all = Array.from({ length: this.options.partitions }, (_, partition) => partition)
    this.ready = env.yield().then(() => {
      if (!this.closed) onAssigned(all)
    })
  }

  /** Below it, this consumer needs nothing of the partition any more. */
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
