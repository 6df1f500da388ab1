/**
 * The embedded log: one partition, in segment files, durable by group commit.
 *
 * Promises, beyond the contract: an acknowledged record is never cut silently because a bit flipped. Damage is refused
 * with `data_corrupt`, at the start or when it is read; examine.ts says how it tells damage from a torn write, and where
 * it cannot.
 *
 * After the first disk error the log is dead: every append and read rejects with `disk_error`, `onFatal` is called once,
 * and nothing is synced again, because a sync that succeeds after one that failed proves nothing.
 *
 * Does not promise: that only one process has the folder open. The caller must hold a lock.
 */

import { RivuletError, isRivuletError } from '../../../core/errors.ts'
import type { Env } from '../../env/env.ts'
import { checkPosition, groupTaken, logClosed } from '../append-checks.ts'
import { ReaderConsumer, type ReaderCursor, ReaderFollower } from '../consumer.ts'
import type { Log, LogBounds, LogConsumer, LogFollower, LogRecord, OnAssigned } from '../log.ts'
import { nodeFiles, type SegmentFile, type SegmentFiles } from './files.ts'
import { FILE_HEADER_BYTES } from './format.ts'
import { SegmentReader, type ReadableLog } from './reader.ts'
import { recoverLog, type RecoveredLog } from './recovery.ts'
import { createSegment, removeOldSegments, type Segment } from './set.ts'
import { createStateSaver, saveState, type StateSaver } from './state.ts'
import { SegmentWriter } from './writer.ts'

export interface SegmentLogOptions {
  readonly env: Env
  readonly folder: string
  /** Default: the epoch of the log in the folder, or 1 for a new log. A higher one raises it. */
  readonly epoch?: number
  readonly segmentBytesMax?: number
  /** While more bytes wait to be synced, `append` rejects with `overloaded`. */
  readonly unsyncedBytesMax?: number
  readonly retentionMs?: number
  /** Called once, at the first disk error. Nothing becomes durable any more, so the process should end. */
  readonly onFatal?: (error: RivuletError) => void
  /** Receives sentences for the operator, for example about a torn tail that was cut. */
  readonly onNotice?: (text: string) => void
  /** For tests of failing disks. */
  readonly files?: SegmentFiles
}

export interface SegmentedLog extends Log {
  /** The size of all segment files together; computed, without asking the disk. */
  readonly bytesOnDisk: number
}

type Settings = Required<Omit<SegmentLogOptions, 'epoch'>>

const MIB = 1024 * 1024
const DAY_MS = 24 * 3_600_000

const DEFAULTS = {
  segmentBytesMax: 64 * MIB,
  unsyncedBytesMax: 64 * MIB,
  retentionMs: 7 * DAY_MS,
  onFatal: () => undefined,
  onNotice: () => undefined,
  files: nodeFiles,
}

export async function openSegmentLog(options: SegmentLogOptions): Promise<SegmentedLog> {
  const settings: Settings = { ...DEFAULTS, ...options }
  try {
    const recovered = await recoverLog({ ...settings, epoch: options.epoch })
    const log = new SegmentLog(settings, recovered)
    await log.save()
    return log
  } catch (error) {
    throw diskError(error, settings.folder)
  }
}

const diskError = (error: unknown, folder: string): RivuletError =>
  isRivuletError(error)
    ? error
    : new RivuletError('disk_error', `the log in ${folder}: ${(error as Error).message}`, { cause: error })

class SegmentLog implements SegmentedLog {
  readonly epoch: number
  readonly partitions = 1
  readonly #settings: Settings
  readonly #segments: Segment[]
  readonly #groups: Map<string, number>
  readonly #consumers = new Map<string, ReaderConsumer>()
  readonly #followers = new Set<ReaderFollower>()
  readonly #writer: SegmentWriter
  readonly #saver: StateSaver
  readonly #readable: ReadableLog
  /** The newest segment, and its size. */
  #file: SegmentFile
  #fileBytes: number
  #failure: RivuletError | undefined
  #closing: Promise<void> | undefined

  constructor(settings: Settings, { segments, file, end, groups }: RecoveredLog) {
    const { epoch, salt, base } = segments[segments.length - 1]
    this.epoch = epoch
    this.#settings = settings
    this.#segments = segments
    this.#groups = groups
    this.#file = file
    this.#fileBytes = FILE_HEADER_BYTES + end - base
    this.#saver = createStateSaver(
      settings.env,
      () => this.#saveState(),
      (error) => this.#fail(error),
    )
    const writer = new SegmentWriter({
      env: settings.env,
      salt,
      end,
      unsyncedBytesMax: settings.unsyncedBytesMax,
      store: (position, batch) => this.#store(position, batch),
      onDurable: () => this.#onDurable(),
      onFailure: (error) => this.#fail(error),
    })
    this.#writer = writer
    this.#readable = {
      files: settings.files,
      salt,
      segments,
      durable: () => writer.durable,
      recent: (position, bytesMax) => writer.recent(position, bytesMax),
    }
  }

  partitionOf(): number {
    return 0
  }

  append(records: readonly LogRecord[]): Promise<readonly number[]> {
    return this.#writer.append(records)
  }

  async #store(position: number, batch: Buffer): Promise<void> {
    const isEmpty = this.#fileBytes === FILE_HEADER_BYTES
    if (!isEmpty && this.#fileBytes + batch.byteLength > this.#settings.segmentBytesMax) {
      await this.#beginSegment(position)
    }
    await this.#file.write(batch, this.#fileBytes)
    await this.#file.datasync()
    this.#fileBytes += batch.byteLength
  }

  async #beginSegment(base: number): Promise<void> {
    const { files, folder } = this.#settings
    const { salt } = this.#readable
    const { segment, file } = await createSegment(files, folder, { salt, epoch: this.epoch, base })
    const full = this.#file
    this.#file = file
    this.#fileBytes = FILE_HEADER_BYTES
    this.#segments.push(segment)
    await full.close()
  }

  /** Segments follow each other without a gap, so the bases of two give the length of the first. */
  get bytesOnDisk(): number {
    const full = this.#segments.length - 1
    const bytesInFull = this.#segments[full].base - this.#segments[0].base
    return bytesInFull + full * FILE_HEADER_BYTES + this.#fileBytes
  }

  #onDurable(): void {
    this.#saver.schedule()
    for (const cursor of this.#cursors()) cursor.wake()
  }

  async consumer(group: string, onAssigned?: OnAssigned): Promise<LogConsumer> {
    this.#checkReadable()
    if (this.#consumers.has(group)) throw groupTaken(group)
    const position = this.#groups.get(group) ?? this.#segments[0].base
    // The group is known from now on, so that `release` keeps what it has not read.
    this.#groups.set(group, position)
    this.#saver.schedule()
    const consumer = new ReaderConsumer({
      ...this.#reading(position),
      onCommit: (_partition, committed) => this.#commit(group, committed),
      onClose: () => this.#consumers.delete(group),
    })
    this.#consumers.set(group, consumer)
    if (onAssigned !== undefined) consumer.assignAll(this.#settings.env, onAssigned)
    return consumer
  }

  async follow(): Promise<LogFollower> {
    this.#checkReadable()
    const onClose = () => this.#followers.delete(follower)
    const follower = new ReaderFollower({ ...this.#reading(), onClose })
    this.#followers.add(follower)
    return follower
  }

  #checkReadable(): void {
    if (this.#closing !== undefined) throw logClosed()
    if (this.#failure !== undefined) throw this.#failure
  }

  #reading(position?: number) {
    return {
      reader: new SegmentReader(this.#readable, position),
      partitions: this.partitions,
      onReadError: (error: unknown) => this.#onReadError(error),
      failure: () => this.#failure,
    }
  }

  #cursors(): readonly ReaderCursor[] {
    return [...this.#consumers.values(), ...this.#followers]
  }

  /** Refuses positions that are not durable: recovery takes a committed position as proof of durability. */
  #commit(group: string, position: number): void {
    if (position > this.#writer.durable) {
      throw new RivuletError('invalid_request', `position ${position} is above the end of the log`)
    }
    this.#groups.set(group, position)
    this.#saver.schedule()
  }

  /** Damage fails only the read that meets it; a disk that cannot be read fails the whole log. */
  #onReadError(error: unknown): RivuletError {
    return isRivuletError(error) ? error : this.#fail(error)
  }

  async bounds(): Promise<readonly LogBounds[]> {
    return [{ start: this.#segments[0].base, end: this.#writer.durable }]
  }

  async release(positions: readonly number[]): Promise<void> {
    if (positions.length !== 1) throw new RivuletError('invalid_request', 'this log has one partition')
    checkPosition(positions[0])
    if (this.#closing !== undefined) throw logClosed()
    const { env, files, folder, retentionMs } = this.#settings
    const needed = [...this.#consumers.values()].map((consumer) => consumer.position(0))
    const position = Math.min(positions[0], ...this.#groups.values(), ...needed)
    const writtenBeforeMs = env.wallMs() - retentionMs
    await this.#guard(async () => {
      if (this.#segments.length < 2 || this.#segments[1].base > position) return
      // Otherwise a crash could bring back an older position of a group, below the oldest segment.
      await this.#saver.save()
      await removeOldSegments(files, folder, this.#segments, { position, writtenBeforeMs })
    })
  }

  save(): Promise<void> {
    return this.#guard(() => this.#saver.save())
  }

  #saveState(): Promise<void> {
    const { files, folder } = this.#settings
    return saveState(files, folder, { durable: this.#writer.durable, groups: this.#groups })
  }

  async #guard(work: () => Promise<void>): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    try {
      await work()
    } catch (error) {
      throw this.#fail(error)
    }
  }

  #fail(cause: unknown): RivuletError {
    if (this.#failure !== undefined) return this.#failure
    const failure = diskError(cause, this.#settings.folder)
    this.#failure = failure
    this.#saver.stop()
    this.#writer.fail(failure)
    for (const cursor of this.#cursors()) cursor.wake()
    this.#settings.onFatal(failure)
    return failure
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#writer.close()
    await Promise.all(this.#cursors().map((cursor) => cursor.close()))
    this.#saver.stop()
    // A log that has failed has reported it already: closing it only releases its files.
    if (this.#failure === undefined) await this.save()
    await this.#file.close().catch(() => undefined)
  }
}
