/**
 * Reads the durable records of all segments from one position on. It reads a window of about 1 MiB at once and cuts many
 * batches from it. The values that it returns are views of the window: a consumer that keeps one value keeps the window.
 *
 * The log keeps the segments that consumers need. A follower may find that its segment has been removed, and then goes
 * on at the oldest one.
 */

import { assert } from '../../../core/errors.ts'
import { LIMITS } from '../../../core/limits.ts'
import type { FollowReader } from '../consumer.ts'
import type { LogBatch } from '../log.ts'
import { damaged } from './examine.ts'
import type { SegmentFile, SegmentFiles } from './files.ts'
import {
  BATCH_HEADER_BYTES,
  FILE_HEADER_BYTES,
  RECORD_HEADER_BYTES,
  batchBytesAt,
  isRecordIntact,
  recordEndAt,
} from './format.ts'
import type { Segment } from './set.ts'

/** Room for the largest record with a batch header before it. */
const WINDOW_BYTES = LIMITS.logRecordBytesMax + 64 * 1024

assert(WINDOW_BYTES <= LIMITS.workerBatchBytesMax, 'a batch is cut from one window')

export interface ReadableLog {
  readonly files: SegmentFiles
  readonly salt: number
  /** Oldest first; changes while the log is used. */
  readonly segments: readonly Segment[]
  durable(): number
  /** @returns a copy of bytes that are still in memory, `undefined` if they are not */
  recent(position: number, bytesMax: number): Buffer | undefined
}

/** The position of a reader that reads nothing: above every record there will ever be. */
const NOWHERE = Number.POSITIVE_INFINITY

export class SegmentReader implements FollowReader {
  readonly #log: ReadableLog
  /** The position to read next: always the start of a batch or of a record. */
  #at = NOWHERE
  /** The position of the last `seek`: records below it are skipped. */
  #wanted = 0
  /** `from` of the next batch that `read` returns. */
  #takeAt = 0
  /** Where the stored batch around `#at` ends; equal to `#at` when a batch header comes next. */
  #batchEnd = 0
  #window: Buffer = Buffer.alloc(0)
  #windowBase = 0
  /** True for a window from memory, whose bytes need no check: they are those that were written. */
  #windowTrusted = true
  #file: SegmentFile | undefined
  #filePath = ''

  constructor(log: ReadableLog, position?: number) {
    this.#log = log
    if (position !== undefined) this.seek(0, position)
  }

  has(): boolean {
    return this.#at !== NOWHERE
  }

  /** This reader needs nothing below it any more. */
  position(): number {
    return Math.max(this.#at, this.#wanted)
  }

  get caughtUp(): boolean {
    return this.#at >= this.#log.durable()
  }

  /** There is no index of records, so reading begins at the start of the segment and skips batch by batch. */
  seek(_partition: number, position: number): void {
    const durable = this.#log.durable()
    const atEnd = position === durable
    this.#at = atEnd ? durable : this.#segmentAt(Math.min(position, durable)).base
    this.#batchEnd = this.#at
    this.#wanted = this.#takeAt = position
    this.#window = Buffer.alloc(0)
    this.#windowBase = this.#at
  }

  leave(): void {
    this.#at = NOWHERE
  }

  /** Returns up to `recordsMax` records, or `undefined` when everything durable has been read. */
  async read(recordsMax: number): Promise<LogBatch | undefined> {
    const positions: number[] = []
    const values: Uint8Array[] = []
    while (positions.length === 0 && !this.caughtUp) {
      this.#parse(recordsMax, positions, values)
      if (positions.length === 0 && !this.caughtUp) await this.#fill()
    }
    if (positions.length === 0) return undefined
    const from = this.#takeAt
    const next = (this.#takeAt = this.#at)
    return { partition: 0, from, positions, values, next }
  }

  /** Takes the records that are in the window as a whole. */
  #parse(recordsMax: number, positions: number[], values: Uint8Array[]): void {
    const window = this.#window
    const windowEnd = this.#windowBase + window.length
    while (positions.length < recordsMax && this.#at < windowEnd) {
      if (this.#at === this.#batchEnd) {
        if (!this.#enterBatch()) return
        continue
      }
      const offset = this.#at - this.#windowBase
      const end = recordEndAt(window, offset)
      if (end === 0 || end > window.length) return
      this.#check(offset, end)
      if (this.#at >= this.#wanted) {
        positions.push(this.#at)
        values.push(window.subarray(offset + RECORD_HEADER_BYTES, end))
      }
      this.#at = this.#windowBase + end
    }
  }

  /** @returns false if the window ends within the header */
  #enterBatch(): boolean {
    const offset = this.#at - this.#windowBase
    if (offset + BATCH_HEADER_BYTES > this.#window.length) return false
    const sizeBytes = batchBytesAt(this.#window, offset, this.#at, this.#log.salt)
    if (sizeBytes === 0) throw this.#damagedHere()
    this.#batchEnd = this.#at + sizeBytes
    this.#at = this.#batchEnd <= this.#wanted ? this.#batchEnd : this.#at + BATCH_HEADER_BYTES
    return true
  }

  #check(offset: number, end: number): void {
    if (this.#windowTrusted) return
    const withinBatch = this.#windowBase + end <= this.#batchEnd
    if (!withinBatch || !isRecordIntact(this.#window, offset, end, this.#at, this.#log.salt)) {
      throw this.#damagedHere()
    }
  }

  #damagedHere() {
    const { path, base } = this.#segmentAt(this.#at)
    return damaged(path, this.#at - base + FILE_HEADER_BYTES)
  }

  async #fill(): Promise<void> {
    if (this.#isRemoved(this.#at)) return this.seek(0, this.position())
    // The window is full, begins here, and holds no whole record: no record is that long.
    const full = Math.min(WINDOW_BYTES, this.#endOfSegment(this.#at) - this.#at)
    if (this.#windowBase === this.#at && this.#window.length >= full && full > 0) throw this.#damagedHere()
    const at = this.#at
    const recent = this.#log.recent(at, WINDOW_BYTES)
    const window = recent ?? (await this.#readFile(at))
    if (window === undefined) return
    if (window.length === 0) throw this.#damagedHere()
    this.#window = window
    this.#windowBase = at
    this.#windowTrusted = recent !== undefined
  }

  #isRemoved(position: number): boolean {
    return position < this.#log.segments[0].base
  }

  /** @returns `undefined` if the segment was removed meanwhile */
  async #readFile(at: number): Promise<Buffer | undefined> {
    const { path, base } = this.#segmentAt(at)
    const window = Buffer.allocUnsafeSlow(Math.min(WINDOW_BYTES, this.#endOfSegment(at) - at))
    try {
      if (path !== this.#filePath) await this.#openFile(path)
    } catch (error) {
      if (this.#isRemoved(at)) return undefined
      throw error
    }
    const readBytes = (await this.#file?.read(window, at - base + FILE_HEADER_BYTES)) ?? 0
    return window.subarray(0, readBytes)
  }

  async #openFile(path: string): Promise<void> {
    await this.close()
    this.#file = await this.#log.files.open(path, 'read')
    this.#filePath = path
  }

  #segmentIndex(position: number): number {
    const { segments } = this.#log
    let index = segments.length - 1
    while (index > 0 && segments[index].base > position) index--
    return index
  }

  #segmentAt(position: number): Segment {
    return this.#log.segments[this.#segmentIndex(position)]
  }

  #endOfSegment(position: number): number {
    return this.#log.segments[this.#segmentIndex(position) + 1]?.base ?? this.#log.durable()
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    this.#filePath = ''
    await file?.close()
  }
}
