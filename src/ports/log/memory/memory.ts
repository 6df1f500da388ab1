/**
 * A log in memory, for tests and trials. Everything that a real log keeps on disk is in a separate `MemoryDisk`, so
 * that a test can crash the log and open another on the same disk. A crash loses what a real crash may lose: pending
 * records from a random one on, and the commits of the last second.
 */

import { RivuletError } from '../../../core/errors.ts'
import type { Env } from '../../env/env.ts'
import { checkAppend, checkPosition, groupTaken, logClosed } from '../append-checks.ts'
import { ReaderConsumer, type ReaderCursor, ReaderFollower } from '../consumer.ts'
import type { Log, LogBounds, LogConsumer, LogFollower, LogRecord, OnAssigned } from '../log.ts'
import type { MemoryPartition, MemoryRecord } from './partition.ts'
import { MemoryReader } from './reader.ts'

export interface MemoryLogOptions {
  readonly env: Env
  readonly partitions: number
  /** Default: the epoch of the disk, or 1 on a new disk. */
  readonly epoch?: number
  readonly disk?: MemoryDisk
  readonly unsyncedBytesMax?: number
  readonly retentionMs?: number
}

/** What survives a crash. */
export interface MemoryDisk {
  epoch: number
  readonly partitions: MemoryPartition[]
  readonly groups: Map<string, readonly number[]>
}

export interface MemoryLog extends Log {
  readonly disk: MemoryDisk
  /** Acts as if the process had died: pending appends reject with `outcome_unknown`, later calls are refused. */
  crash(): void
}

interface PendingAppend {
  readonly records: ReadonlyArray<MemoryRecord & { readonly partition: number }>
  readonly bytes: number
  readonly resolve: (positions: readonly number[]) => void
  readonly reject: (error: RivuletError) => void
}

const COMMIT_DELAY_MS = 1_000
const DEFAULTS = { unsyncedBytesMax: 64 * 1024 * 1024, retentionMs: 7 * 24 * 3_600_000 }

export const createMemoryDisk = (): MemoryDisk => ({ epoch: 0, partitions: [], groups: new Map() })

export function createMemoryLog(options: MemoryLogOptions): MemoryLog {
  const disk = options.disk ?? createMemoryDisk()
  if (disk.partitions.length === 0) {
    for (let n = 0; n < options.partitions; n++) disk.partitions.push({ records: [], start: 0, end: 0 })
  }
  if (disk.partitions.length !== options.partitions || (options.epoch ?? disk.epoch) < disk.epoch) {
    throw new RivuletError('config_invalid', 'the disk holds a log with other partitions or a higher epoch')
  }
  disk.epoch = options.epoch ?? Math.max(disk.epoch, 1)
  return new InMemoryLog({ ...DEFAULTS, ...options, disk })
}

class InMemoryLog implements MemoryLog {
  readonly epoch: number
  readonly partitions: number
  readonly disk: MemoryDisk
  readonly #settings: Required<Omit<MemoryLogOptions, 'epoch'>>
  readonly #ends: number[]
  readonly #groups: Map<string, number[]>
  readonly #consumers = new Map<string, ReaderConsumer>()
  readonly #followers = new Set<ReaderFollower>()
  #pending: PendingAppend[] = []
  #pendingBytes = 0
  #flushing: Promise<void> | undefined
  #commitTimer: { cancel(): void } | undefined
  #refusal: RivuletError | undefined

  constructor(settings: Required<Omit<MemoryLogOptions, 'epoch'>>) {
    this.#settings = settings
    this.disk = settings.disk
    this.epoch = settings.disk.epoch
    this.partitions = settings.partitions
    this.#ends = this.disk.partitions.map(({ end }) => end)
    this.#groups = new Map([...this.disk.groups].map(([group, positions]) => [group, [...positions]]))
  }

  partitionOf(key: number): number {
    return key % this.partitions
  }

  append(records: readonly LogRecord[]): Promise<readonly number[]> {
    return new Promise((resolve, reject) => {
      if (this.#refusal !== undefined) throw this.#refusal
      checkAppend(records)
      if (this.#pendingBytes > this.#settings.unsyncedBytesMax) {
        throw new RivuletError('overloaded', 'too many bytes wait to be written to the log; retry later', {
          retryAfterMs: 1_000,
        })
      }
      if (records.length === 0) return resolve([])
      const bytes = records.reduce((sum, { value }) => sum + value.byteLength, 0)
      this.#pending.push({ records: records.map((record) => this.#take(record)), bytes, resolve, reject })
      this.#pendingBytes += bytes
      this.#flushing ??= this.#flush()
    })
  }

  /** Positions leave gaps on purpose, so that no caller relies on dense ones. */
  #take({ key, value }: LogRecord) {
    const partition = this.partitionOf(key)
    const position = this.#ends[partition]
    this.#ends[partition] = position + 1 + value.byteLength
    return { partition, position, value: new Uint8Array(value), wallMs: this.#settings.env.wallMs() }
  }

  async #flush(): Promise<void> {
    await this.#settings.env.yield()
    this.#flushing = undefined
    const appends = this.#pending
    this.#pending = []
    this.#pendingBytes = 0
    for (const { records, resolve } of appends) {
      records.forEach((record) => this.#store(record))
      resolve(records.map(({ position }) => position))
    }
    for (const cursor of this.#cursors()) cursor.wake()
  }

  #store({ partition, ...record }: PendingAppend['records'][number]): void {
    const target = this.disk.partitions[partition]
    target.records.push(record)
    target.end = record.position + 1 + record.value.byteLength
  }

  async consumer(group: string, onAssigned?: OnAssigned): Promise<LogConsumer> {
    if (this.#refusal !== undefined) throw this.#refusal
    if (this.#consumers.has(group)) throw groupTaken(group)
    const committed = this.#groups.get(group) ?? this.disk.partitions.map(({ start }) => start)
    this.#groups.set(group, committed)
    this.#saveCommitsSoon()
    const consumer = new ReaderConsumer({
      reader: new MemoryReader(this.disk.partitions, committed),
      partitions: this.partitions,
      onCommit: (partition, position) => this.#commit(committed, partition, position),
      onClose: () => this.#consumers.delete(group),
      onReadError: (error) => error as RivuletError,
      failure: () => undefined,
    })
    this.#consumers.set(group, consumer)
    if (onAssigned !== undefined) consumer.assignAll(this.#settings.env, onAssigned)
    return consumer
  }

  async follow(): Promise<LogFollower> {
    if (this.#refusal !== undefined) throw this.#refusal
    const follower = new ReaderFollower({
      reader: new MemoryReader(this.disk.partitions),
      partitions: this.partitions,
      onClose: () => this.#followers.delete(follower),
      onReadError: (error) => error as RivuletError,
      failure: () => undefined,
    })
    this.#followers.add(follower)
    return follower
  }

  #cursors(): readonly ReaderCursor[] {
    return [...this.#consumers.values(), ...this.#followers]
  }

  #commit(committed: number[], partition: number, position: number): void {
    if (position > this.disk.partitions[partition].end) {
      throw new RivuletError('invalid_request', `position ${position} is above the end of the log`)
    }
    committed[partition] = position
    this.#saveCommitsSoon()
  }

  #saveCommitsSoon(): void {
    this.#commitTimer ??= this.#settings.env.timer(COMMIT_DELAY_MS, () => this.#saveCommits())
  }

  #saveCommits(): void {
    this.#commitTimer?.cancel()
    this.#commitTimer = undefined
    for (const [group, positions] of this.#groups) this.disk.groups.set(group, [...positions])
  }

  async bounds(): Promise<readonly LogBounds[]> {
    return this.disk.partitions.map(({ start, end }) => ({ start, end }))
  }

  async release(positions: readonly number[]): Promise<void> {
    if (this.#refusal !== undefined) throw this.#refusal
    if (positions.length !== this.partitions) {
      throw new RivuletError('invalid_request', `this log has ${this.partitions} partitions`)
    }
    positions.forEach(checkPosition)
    this.#saveCommits()
    positions.forEach((position, partition) => this.#releasePartition(partition, position))
  }

  #releasePartition(partition: number, position: number): void {
    const target = this.disk.partitions[partition]
    const committed = [...this.#groups.values()].map((positions) => positions[partition])
    const needed = [...this.#consumers.values()].map((consumer) => consumer.position(partition))
    const below = Math.min(position, ...committed, ...needed)
    const writtenBeforeMs = this.#settings.env.wallMs() - this.#settings.retentionMs
    const { records } = target
    let kept = 0
    while (kept < records.length && records[kept].position < below && records[kept].wallMs < writtenBeforeMs)
      kept++
    target.records = records.slice(kept)
    target.start = target.records[0]?.position ?? target.end
  }

  crash(): void {
    if (this.#refusal !== undefined) return
    this.#refusal = new RivuletError('unavailable', 'this log has crashed')
    this.#commitTimer?.cancel()
    const lost = new RivuletError('outcome_unknown', 'the log crashed before the append was answered')
    const records = this.#pending.flatMap((append) => append.records)
    const survivors = Math.floor(this.#settings.env.random() * (records.length + 1))
    records.slice(0, survivors).forEach((record) => this.#store(record))
    for (const { reject } of this.#pending) reject(lost)
    this.#pending = []
    for (const cursor of this.#cursors()) void cursor.close()
  }

  async close(): Promise<void> {
    this.#refusal ??= logClosed()
    await this.#flushing
    await Promise.all(this.#cursors().map((cursor) => cursor.close()))
    if (this.#refusal.code === 'shutting_down') this.#saveCommits()
  }
}
