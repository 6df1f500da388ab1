/**
 * The append side: group commit. `append` copies its records into an arena at once. A loop takes everything that has come
 * since the last sync as one batch, writes and syncs it, and then answers all callers in it.
 *
 * An arena of 4 MiB holds a consecutive stretch of the log. One arena is filled while an earlier part of it is written;
 * the last few stay in memory for readers that are close behind, and are then used again.
 */

import { RivuletError } from '../../../core/errors.ts'
import type { Env } from '../../env/env.ts'
import { checkAppend, logClosed } from '../append-checks.ts'
import type { LogRecord } from '../log.ts'
import { BATCH_HEADER_BYTES, RECORD_HEADER_BYTES, encodeBatchHeader, encodeRecord } from './format.ts'

/** More than the largest record with its headers, so that every record fits into one batch. */
const ARENA_BYTES = 4 * 1024 * 1024
const ARENAS_KEPT = 3

interface Arena {
  bytes: Buffer
  /** The position of its first byte. */
  base: number
  usedBytes: number
}

interface Waiter {
  readonly positions: number[]
  readonly resolve: (positions: readonly number[]) => void
  readonly reject: (error: RivuletError) => void
}

interface Batch {
  readonly arena: Arena
  readonly from: number
  to: number
  /** The calls whose last record is in this batch. */
  readonly waiters: Waiter[]
}

export interface WriterOptions {
  readonly env: Env
  readonly salt: number
  /** Where the log ends. */
  readonly end: number
  readonly unsyncedBytesMax: number
  /** Writes one batch and syncs it; never called before the previous call has resolved. */
  readonly store: (position: number, batch: Buffer) => Promise<void>
  readonly onDurable: () => void
  readonly onFailure: (error: unknown) => RivuletError
}

export class SegmentWriter {
  /** The position after everything appended, synced or not. */
  #end: number
  #durable: number
  #arenas: Arena[] = []
  #full: Batch[] = []
  #open: Batch | undefined
  #flushing: Promise<void> | undefined
  #refusal: RivuletError | undefined
  readonly #options: WriterOptions

  constructor(options: WriterOptions) {
    this.#options = options
    this.#end = options.end
    this.#durable = options.end
  }

  /** Everything below it was synced. */
  get durable(): number {
    return this.#durable
  }

  append(records: readonly LogRecord[]): Promise<readonly number[]> {
    return new Promise((resolve, reject) => {
      this.#check(records)
      if (records.length === 0) return resolve([])
      const positions = records.map((record) => this.#put(record))
      this.#open?.waiters.push({ positions, resolve, reject })
      this.#flushing ??= this.#flush()
    })
  }

  #check(records: readonly LogRecord[]): void {
    if (this.#refusal !== undefined) throw this.#refusal
    checkAppend(records)
    if (this.#end - this.#durable > this.#options.unsyncedBytesMax) {
      throw new RivuletError('overloaded', 'too many bytes wait to be written to the log; retry later', {
        retryAfterMs: 1_000,
      })
    }
  }

  #put(record: LogRecord): number {
    const { arena } = this.#batchFor(RECORD_HEADER_BYTES + record.value.byteLength)
    const position = arena.base + arena.usedBytes
    arena.usedBytes = encodeRecord(arena.bytes, arena.usedBytes, record, position, this.#options.salt)
    this.#end = arena.base + arena.usedBytes
    return position
  }

  #batchFor(recordBytes: number): Batch {
    const fits = (arena: Arena, bytes: number) => arena.usedBytes + bytes <= ARENA_BYTES
    if (this.#open !== undefined) {
      if (fits(this.#open.arena, recordBytes)) return this.#open
      this.#full.push(this.#seal(this.#open))
    }
    let arena = this.#arenas.at(-1)
    if (arena === undefined || !fits(arena, BATCH_HEADER_BYTES + recordBytes)) arena = this.#nextArena()
    this.#open = { arena, from: arena.usedBytes, to: 0, waiters: [] }
    arena.usedBytes += BATCH_HEADER_BYTES
    return this.#open
  }

  #nextArena(): Arena {
    let bytes: Buffer | undefined
    // Under load there are more arenas than are kept; the surplus is dropped as soon as it is synced.
    while (this.#arenas.length >= ARENAS_KEPT && this.#isSynced(this.#arenas[0])) {
      bytes = this.#arenas.shift()?.bytes
    }
    const arena = { bytes: bytes ?? Buffer.allocUnsafeSlow(ARENA_BYTES), base: this.#end, usedBytes: 0 }
    this.#arenas.push(arena)
    return arena
  }

  #isSynced(arena: Arena): boolean {
    return arena.base + arena.usedBytes <= this.#durable
  }

  #seal(batch: Batch): Batch {
    const { arena, from } = batch
    batch.to = arena.usedBytes
    encodeBatchHeader(arena.bytes, from, batch.to - from, arena.base + from, this.#options.salt)
    this.#open = undefined
    return batch
  }

  #take(): Batch | undefined {
    return this.#full.shift() ?? (this.#open === undefined ? undefined : this.#seal(this.#open))
  }

  async #flush(): Promise<void> {
    // Callers that the last batch answered append again in this turn, and so share one sync.
    await this.#options.env.yield()
    for (let batch = this.#take(); batch !== undefined; batch = this.#take()) {
      try {
        await this.#writeOut(batch)
      } catch (error) {
        this.#fail(this.#options.onFailure(error), batch)
        break
      }
      await this.#options.env.yield()
    }
    this.#flushing = undefined
  }

  async #writeOut({ arena, from, to, waiters }: Batch): Promise<void> {
    await this.#options.store(arena.base + from, arena.bytes.subarray(from, to))
    if (this.#refusal?.code === 'disk_error') throw this.#refusal
    this.#durable = arena.base + to
    for (const { resolve, positions } of waiters) resolve(positions)
    this.#options.onDurable()
  }

  /** Refuses later appends, and rejects those in `unsynced` and after it. */
  #fail(error: RivuletError, unsynced?: Batch): void {
    this.#refusal = error
    const batches = [unsynced, ...this.#full, this.#open]
    this.#full = []
    this.#open = undefined
    for (const batch of batches) for (const { reject } of batch?.waiters ?? []) reject(error)
  }

  /** Called when another part of the log met a disk error. A batch under way is rejected when its write ends. */
  fail(error: RivuletError): void {
    this.#fail(error)
  }

  /** Refuses later appends; resolves when the earlier ones are synced or have failed. */
  async close(): Promise<void> {
    this.#refusal ??= logClosed()
    await this.#flushing
  }

  /**
   * Returns at most `bytesMax` durable bytes from `position` on, if they are still in memory. They are copied, because
   * an arena may be used again while a consumer holds the values.
   */
  recent(position: number, bytesMax: number): Buffer | undefined {
    for (let index = this.#arenas.length - 1; index >= 0; index--) {
      const { base, usedBytes, bytes } = this.#arenas[index]
      if (position < base) continue
      const to = Math.min(usedBytes, this.#durable - base, position - base + bytesMax)
      return to > position - base ? copy(bytes.subarray(position - base, to)) : undefined
    }
    return undefined
  }
}

function copy(bytes: Buffer): Buffer {
  const own = Buffer.allocUnsafeSlow(bytes.byteLength)
  own.set(bytes)
  return own
}
