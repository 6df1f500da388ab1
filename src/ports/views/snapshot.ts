/**
 * Timelines in memory, written to a file when their process ends and read by the next one. The file says for each lane
 * up to where it holds: whoever adopts the timelines gives them up if more was told since. It is read once and
 * removed, so that one which a crash left behind is never taken for what came after it.
 *
 * All little-endian. A head: magic, format, capacity, lanes and number of timelines as u32, a horizon as f64 for each
 * lane. Then each timeline: owner, count and whether it was in use as u32, its floor as f64, and its entries, newest
 * first, each as three u32 (headers.ts says what stands in them). At the end a CRC-32 of all that.
 */

import { existsSync } from 'node:fs'
import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { endianness } from 'node:os'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { assert } from '../../core/errors.ts'
import { syncFolder } from '../folder.ts'
import { ENTRY_WORDS } from './memory/slabs.ts'

/** A timeline as the file has it. Its entries are valid until the next one is asked for. */
export interface SavedTimeline {
  readonly owner: number
  readonly floor: number
  readonly isWarm: boolean
  readonly entries: Uint32Array
}

export interface SavedHead {
  readonly capacity: number
  readonly timelines: number
  /** By lane. */
  readonly horizons: Float64Array
}

const MAGIC = 0x4c545652
const FORMAT = 1
const HEAD_WORDS = 5
const BUFFER_BYTES = 4 * 2 ** 20
const CRC_BYTES = 4
const OWNER_ONLY = 0o600

const draftOf = (path: string): string => `${path}.tmp`

/** The file is there as a whole or not at all: of one that cannot be written nothing is left. */
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
    const { capacity, horizons } = head
    await out.put(bytesOf(Uint32Array.of(MAGIC, FORMAT, capacity, horizons.length, head.timelines)))
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
 * Reads the file and removes it. `accept` decides by its head whether the rest is of use.
 * @returns nothing where there is none or it is not wanted; else whether it was whole. What `take` was given of one
 * that is not must be forgotten.
 */
export async function readSnapshot(
  path: string,
  accept: (head: SavedHead) => boolean,
  take: (timeline: SavedTimeline) => void,
): Promise<'whole' | 'damaged' | undefined> {
  // Of a process that was killed while it wrote.
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
    // After a failure of power, too, it must not be there again.
    await syncFolder(dirname(path))
  }
}

async function readFrom(
  input: Input,
  accept: (head: SavedHead) => boolean,
  take: (timeline: SavedTimeline) => void,
): Promise<'whole' | 'damaged' | undefined> {
  const words = await input.words(HEAD_WORDS)
  if (words === undefined || words[0] !== MAGIC || words[1] !== FORMAT) return 'damaged'
  const [, , capacity, lanes, timelines] = words
  const horizons = await input.doubles(lanes)
  if (horizons === undefined) return 'damaged'
  if (!accept({ capacity, timelines, horizons })) return undefined
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

  /** The checksum stands where it should, says what was read, and nothing comes after it. */
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

  /** Has so many bytes at hand, or there are not as many. */
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

assert(endianness() === 'LE', 'numbers stand in memory as they do in the file')
