/**
 * The file in which a process that ends cleanly leaves its in-memory timelines for the next one. The file holds the
 * horizon of each lane: `adopt` gives the timelines up if a horizon has risen since. It is removed as soon as it is read,
 * so that a file from before a crash is never taken for the state after it.
 *
 * All numbers are little-endian. First a head: magic, format (which says what the view keeps), capacity, number of lanes
 * and number of timelines as u32, and a horizon as f64 for each lane. Then each timeline: its owner, its number of entries
 * and whether it was in use as u32, its floor as f64, and its entries, newest first, each as three u32 (slabs.ts describes
 * them). Last, a CRC-32 of all that.
 */

import { existsSync } from 'node:fs'
import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { endianness } from 'node:os'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { assert } from '../../core/errors.ts'
import { syncFolder } from '../folder.ts'
import { ENTRY_WORDS } from './memory/slabs.ts'
import type { Keep } from './views.ts'

/** A timeline in the file. `entries` is valid until the next timeline is read or generated. */
export interface SavedTimeline {
  readonly owner: number
  readonly floor: number
  readonly isWarm: boolean
  readonly entries: Uint32Array
}

export interface SavedHead {
  readonly keep: Keep
  readonly capacity: number
  readonly timelines: number
  /** By lane. */
  readonly horizons: Float64Array
}

const MAGIC = 0x4c545652
const FORMATS: Readonly<Record<Keep, number>> = { all: 1, latest: 2 }
const KEEPS = ['all', 'latest'] as const
const HEAD_WORDS = 5
const BUFFER_BYTES = 4 * 2 ** 20
const CRC_BYTES = 4
const OWNER_ONLY = 0o600

const draftOf = (path: string): string => `${path}.tmp`

/** Writes the whole file, or leaves none: what was written before a failure is removed. */
export async function writeSnapshot(
  path: string,
  head: SavedHead,
  timelines: Iterable<SavedTimeline>,
): Promise<void> {
  const draft = draftOf(path)
  try {
    await writeDraft(draft, head, timelines)
    await rename(draft, path)
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined)
    throw error
  }
}

async function writeDraft(draft: string, head: SavedHead, timelines: Iterable<SavedTimeline>): Promise<void> {
  const file = await open(draft, 'w', OWNER_ONLY)
  try {
    const out = new Output(file)
    const { keep, capacity, horizons } = head
    await out.put(bytesOf(Uint32Array.of(MAGIC, FORMATS[keep], capacity, horizons.length, head.timelines)))
    await out.put(bytesOf(horizons))
    for (const { owner, floor, isWarm, entries } of timelines) {
      const count = entries.length / ENTRY_WORDS
      await out.put(bytesOf(Uint32Array.of(owner, count, isWarm ? 1 : 0)))
      await out.put(bytesOf(Float64Array.of(floor)))
      await out.put(bytesOf(entries))
    }
    await out.end()
    await file.sync()
  } finally {
    await file.close()
  }
}

/**
 * Reads the file and removes it. `accept` decides by the head whether the timelines are wanted; `take` receives them.
 * @returns `undefined` when there is no file or it is not wanted; otherwise whether it was whole. After `damaged`, the
 * caller must drop the timelines that `take` has received.
 */
export async function readSnapshot(
  path: string,
  accept: (head: SavedHead) => boolean,
  take: (timeline: SavedTimeline) => void,
): Promise<'whole' | 'damaged' | undefined> {
  // A process that was killed while writing may have left it.
  await rm(draftOf(path), { force: true })
  if (!existsSync(path)) return undefined
  try {
    const file = await open(path, 'r')
    try {
      return await readFrom(new Input(file), accept, take)
    } finally {
      await file.close()
    }
  } finally {
    await rm(path, { force: true })
    // Makes the removal durable: the file must not come back after a power failure.
    await syncFolder(dirname(path))
  }
}

async function readFrom(
  input: Input,
  accept: (head: SavedHead) => boolean,
  take: (timeline: SavedTimeline) => void,
): Promise<'whole' | 'damaged' | undefined> {
  const words = await input.words(HEAD_WORDS)
  if (words === undefined || words[0] !== MAGIC) return 'damaged'
  const [, format, capacity, lanes, timelines] = words
  const keep = KEEPS.find((each) => FORMATS[each] === format)
  if (keep === undefined) return 'damaged'
  const horizons = await input.doubles(lanes)
  if (horizons === undefined) return 'damaged'
  if (!accept({ keep, capacity, timelines, horizons })) return undefined
  for (let i = 0; i < timelines; i++) {
    const about = await input.words(3)
    const floor = await input.doubles(1)
    if (about === undefined || floor === undefined || about[1] > capacity) return 'damaged'
    const entries = await input.words(about[1] * ENTRY_WORDS)
    if (entries === undefined) return 'damaged'
    take({ owner: about[0], floor: floor[0], isWarm: about[2] !== 0, entries })
  }
  return (await input.endsRight()) ? 'whole' : 'damaged'
}

const bytesOf = (values: Uint32Array | Float64Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength)

class Output {
  private readonly buffer = Buffer.allocUnsafe(BUFFER_BYTES)
  private readonly file: FileHandle
  private used = 0
  private crc = 0

  constructor(file: FileHandle) {
    this.file = file
  }

  async put(bytes: Uint8Array): Promise<void> {
    assert(bytes.length <= BUFFER_BYTES, 'a timeline fits the buffer')
    if (this.used + bytes.length > BUFFER_BYTES) await this.flush()
    this.buffer.set(bytes, this.used)
    this.used += bytes.length
  }

  async end(): Promise<void> {
    await this.flush()
    this.used = this.buffer.writeUInt32LE(this.crc)
    await this.flush()
  }

  private async flush(): Promise<void> {
    const bytes = this.buffer.subarray(0, this.used)
    this.crc = crc32(bytes, this.crc)
    for (let at = 0; at < bytes.length;) at += (await this.file.write(bytes, at)).bytesWritten
    this.used = 0
  }
}

class Input {
  private readonly buffer = Buffer.allocUnsafe(BUFFER_BYTES)
  private readonly file: FileHandle
  private at = 0
  private end = 0
  private crc = 0

  constructor(file: FileHandle) {
    this.file = file
  }

  async words(length: number): Promise<Uint32Array | undefined> {
    const bytes = await this.take(length * 4)
    return bytes === undefined ? undefined : new Uint32Array(bytes)
  }

  async doubles(length: number): Promise<Float64Array | undefined> {
    const bytes = await this.take(length * 8)
    return bytes === undefined ? undefined : new Float64Array(bytes)
  }

  /** Whether the checksum follows, fits what was read, and ends the file. */
  async endsRight(): Promise<boolean> {
    const crc = this.crc
    const bytes = await this.take(CRC_BYTES)
    return bytes !== undefined && new Uint32Array(bytes)[0] === crc && (await this.fill(1)) === false
  }

  private async take(length: number): Promise<ArrayBuffer | undefined> {
    if (length > BUFFER_BYTES || !(await this.fill(length))) return undefined
    const bytes = this.buffer.subarray(this.at, this.at + length)
    this.crc = crc32(bytes, this.crc)
    this.at += length
    return new Uint8Array(bytes).buffer
  }

  /** Makes sure that the buffer holds so many unread bytes. @returns false when the file has fewer left */
  private async fill(length: number): Promise<boolean> {
    if (this.end - this.at >= length) return true
    this.buffer.copyWithin(0, this.at, this.end)
    this.end -= this.at
    this.at = 0
    while (this.end < length) {
      const { bytesRead } = await this.file.read(this.buffer, this.end, BUFFER_BYTES - this.end)
      if (bytesRead === 0) return false
      this.end += bytesRead
    }
    return true
  }
}

assert(endianness() === 'LE', 'this machine stores numbers in little-endian order, as the file does')
