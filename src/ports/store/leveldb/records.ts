/**
 * Reads the files to which LevelDB appends records: its write-ahead files and its MANIFEST.
 *
 *   file      blocks of 32 KiB; the last one may be shorter
 *   block     fragments; fewer than 7 bytes left at its end are padding
 *   fragment  masked CRC-32C u32 (of everything from the type on) | length u16 | type u8 | part of a record
 *   type      1 a whole record | 2 its first part | 3 a middle part | 4 its last part
 *
 * Reading ends at the first byte that does not fit this form. If only zeros follow up to the end of the file, the end is
 * clean: the file system had allocated space that was never written.
 */

import { type FileHandle, open } from 'node:fs/promises'
import { crc32c } from './crc32c.ts'

export interface RecordsRead {
  /** `torn`: the last record was not finished. `damaged`: other bytes that are no record. */
  readonly end: 'clean' | 'torn' | 'damaged'
  /** Where the last whole record ends. */
  readonly goodBytes: number
  readonly fileBytes: number
}

/** Receives a record, from `start` up to `end`, valid during the call. @returns whether the record may follow here */
export type RecordCheck = (bytes: Buffer, start: number, end: number) => boolean

const BLOCK_BYTES = 32_768
const READ_BYTES = 32 * BLOCK_BYTES
const HEADER_BYTES = 7
const TYPE_AT = 6
const FULL = 1
const FIRST = 2
const MIDDLE = 3
const LAST = 4
const CRC_MASK = 0xa282ead8
const ZEROS = Buffer.alloc(BLOCK_BYTES)

/** @param keepBytes bounds the memory: of a record in several parts, `check` receives at most so many bytes */
export async function readRecords(path: string, keepBytes: number, check: RecordCheck): Promise<RecordsRead> {
  const file = await open(path, 'r')
  try {
    // Reads no further than this, even if another process appends meanwhile.
    const fileBytes = (await file.stat()).size
    const reader = new BlockReader(keepBytes, check)
    const chunk = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, fileBytes))
    for (let offset = 0; offset < fileBytes && reader.end === undefined; offset += chunk.length) {
      const filled = await fill(file, chunk, offset, Math.min(chunk.length, fileBytes - offset))
      for (let at = 0; at < filled && reader.end === undefined; at += BLOCK_BYTES) {
        reader.read(chunk, at, Math.min(at + BLOCK_BYTES, filled), offset)
      }
    }
    return { end: reader.end ?? reader.endOfFile(), goodBytes: reader.goodBytes, fileBytes }
  } finally {
    await file.close()
  }
}

/** @returns how many bytes were read: fewer than asked for only at the end of the file */
async function fill(file: FileHandle, into: Buffer, offset: number, bytes: number): Promise<number> {
  let done = 0
  while (done < bytes) {
    const { bytesRead } = await file.read(into, done, bytes - done, offset + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return done
}

class BlockReader {
  end: RecordsRead['end'] | undefined
  goodBytes = 0
  readonly #check: RecordCheck
  readonly #keepBytes: number
  /** The parts so far of a record whose last part has not been read; the first `keepBytes` of them. */
  #open: Buffer[] | undefined
  #openBytes = 0
  #isBehindRecords = false

  constructor(keepBytes: number, check: RecordCheck) {
    this.#keepBytes = keepBytes
    this.#check = check
  }

  /** Reads the block at `start`, which is at `offset` + `start` in the file. */
  read(bytes: Buffer, start: number, blockEnd: number, offset: number): void {
    const isWhole = blockEnd - start === BLOCK_BYTES
    let at = start
    while (this.end === undefined && !this.#isBehindRecords && blockEnd - at >= HEADER_BYTES) {
      const length = bytes[at + 4] | (bytes[at + 5] << 8)
      const next = at + HEADER_BYTES + length
      if (length === 0 && bytes[at + TYPE_AT] === 0) this.#isBehindRecords = true
      // As LevelDB does: a part that exceeds its block is an unfinished write only if the block itself is cut short.
      else if (next > blockEnd) this.end = isWhole ? 'damaged' : 'torn'
      else if (!isIntact(bytes, at, next)) this.end = 'damaged'
      else if (!this.#take(bytes[at + TYPE_AT], bytes, at + HEADER_BYTES, next)) this.end = 'damaged'
      else {
        at = next
        if (this.#open === undefined) this.goodBytes = offset + at
      }
    }
    if (this.end === undefined) this.#readRest(bytes, at, blockEnd, start + BLOCK_BYTES)
  }

  endOfFile(): RecordsRead['end'] {
    if (this.#open === undefined) return 'clean'
    return this.#isBehindRecords ? 'damaged' : 'torn'
  }

  /** @returns whether a part of this type may follow here, and so may the record if this part completes it */
  #take(type: number, bytes: Buffer, start: number, end: number): boolean {
    if ((type === FULL || type === FIRST) !== (this.#open === undefined)) return false
    if (type === FULL) return this.#check(bytes, start, end)
    if (type !== FIRST && type !== MIDDLE && type !== LAST) return false
    this.#keep(bytes, start, end)
    if (type !== LAST) return true
    const record = Buffer.concat(this.#open ?? [])
    this.#open = undefined
    this.#openBytes = 0
    return this.#check(record, 0, record.length)
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    this.#open ??= []
    const kept = Math.min(end - start, this.#keepBytes - this.#openBytes)
    if (kept === 0) return
    this.#open.push(Buffer.from(bytes.subarray(start, start + kept)))
    this.#openBytes += kept
  }

  /** Checks the rest of a block: padding, into which no header fits, or zeros after the last record. */
  #readRest(bytes: Buffer, at: number, end: number, fullEnd: number): void {
    const isPadding = !this.#isBehindRecords && fullEnd - at < HEADER_BYTES
    if (isPadding || bytes.compare(ZEROS, 0, end - at, at, end) === 0) return
    this.end = this.#isBehindRecords ? 'damaged' : 'torn'
  }
}

function isIntact(bytes: Buffer, at: number, end: number): boolean {
  const crc = crc32c(bytes, at + TYPE_AT, end)
  return bytes.readUInt32LE(at) === (((crc >>> 15) | (crc << 17)) + CRC_MASK) >>> 0
}
