/**
 * The bytes of a segment file. Little-endian. Every CRC is seeded with the log's random salt and the position, so that no
 * bytes are taken for valid at another place or in another log, not even a copy of a segment that somebody posted as a
 * payload.
 *
 *   file    magic 8 | format u32 | salt u32 | epoch u53 | base position u53 | zeros | crc u32   = 64 bytes
 *   batch   marker u32 | bytes u32, this header included | position u53 | crc u32               = 20 bytes
 *   record  crc u32 (of everything after it) | payload bytes u32 | key u53 | payload
 *
 * A position is a logical byte offset: the base position of the file plus the number of bytes after its header. A batch
 * is one write and one sync, and begins only after the batch before it was synced: **a valid batch header proves that
 * everything below its position was durable.** Recovery rests on that.
 */

import { crc32 } from 'node:zlib'
import { LIMITS } from '../../../core/limits.ts'
import type { LogRecord } from '../log.ts'

export const FORMAT_VERSION = 1
export const FILE_HEADER_BYTES = 64
export const BATCH_HEADER_BYTES = 20
export const RECORD_HEADER_BYTES = 16

const MAGIC = Buffer.from('RIVULETL', 'latin1')
/** Has no zero byte, because a sector that never reached the disk reads as zeros. */
export const BATCH_MARKER = Buffer.from('\xa7Rb\xb1', 'latin1')
const FILE_CRC_AT = FILE_HEADER_BYTES - 4
const U32 = 2 ** 32

export interface FileHeader {
  readonly salt: number
  readonly epoch: number
  readonly base: number
}

function writeU53(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32LE(value % U32, at)
  bytes.writeUInt32LE(Math.floor(value / U32), at + 4)
}

const readU53 = (bytes: Buffer, at: number): number =>
  bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * U32

const seed = (salt: number, position: number): number => (salt ^ position) >>> 0

export function encodeFileHeader(header: FileHeader): Buffer {
  const bytes = Buffer.alloc(FILE_HEADER_BYTES)
  MAGIC.copy(bytes)
  bytes.writeUInt32LE(FORMAT_VERSION, 8)
  bytes.writeUInt32LE(header.salt, 12)
  writeU53(bytes, header.epoch, 16)
  writeU53(bytes, header.base, 24)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, FILE_CRC_AT)), FILE_CRC_AT)
  return bytes
}

/** Later formats keep the CRC in its place, so that an older program can tell "newer" from "damaged". */
export function decodeFileHeader(bytes: Buffer): FileHeader | 'damaged' | 'newer' {
  if (bytes.length < FILE_HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return 'damaged'
  if (bytes.readUInt32LE(FILE_CRC_AT) !== crc32(bytes.subarray(0, FILE_CRC_AT))) return 'damaged'
  if (bytes.readUInt32LE(8) !== FORMAT_VERSION) return 'newer'
  return { salt: bytes.readUInt32LE(12), epoch: readU53(bytes, 16), base: readU53(bytes, 24) }
}

export function encodeBatchHeader(
  bytes: Buffer,
  at: number,
  sizeBytes: number,
  position: number,
  salt: number,
): void {
  BATCH_MARKER.copy(bytes, at)
  bytes.writeUInt32LE(sizeBytes, at + 4)
  writeU53(bytes, position, at + 8)
  bytes.writeUInt32LE(crc32(bytes.subarray(at, at + 16), seed(salt, position)), at + 16)
}

/** @returns the size in bytes of the batch at `at`, or 0 if there is no valid header for that position */
export function batchBytesAt(bytes: Buffer, at: number, position: number, salt: number): number {
  if (at + BATCH_HEADER_BYTES > bytes.length) return 0
  if (bytes.compare(BATCH_MARKER, 0, 4, at, at + 4) !== 0 || readU53(bytes, at + 8) !== position) return 0
  if (bytes.readUInt32LE(at + 16) !== crc32(bytes.subarray(at, at + 16), seed(salt, position))) return 0
  return bytes.readUInt32LE(at + 4)
}

/** @returns where the record ends */
export function encodeRecord(
  bytes: Buffer,
  at: number,
  record: LogRecord,
  position: number,
  salt: number,
): number {
  const end = at + RECORD_HEADER_BYTES + record.value.byteLength
  bytes.writeUInt32LE(record.value.byteLength, at + 4)
  writeU53(bytes, record.key, at + 8)
  bytes.set(record.value, at + RECORD_HEADER_BYTES)
  bytes.writeUInt32LE(crc32(bytes.subarray(at + 4, end), seed(salt, position)), at)
  return end
}

/**
 * Where the record at `at` ends according to its length field, which may be beyond the end of `bytes`.
 * @returns 0 if the length field is not in `bytes`, or no record can be so long
 */
export function recordEndAt(bytes: Buffer, at: number): number {
  if (at + RECORD_HEADER_BYTES > bytes.length) return 0
  const payloadBytes = bytes.readUInt32LE(at + 4)
  return payloadBytes > LIMITS.logRecordBytesMax ? 0 : at + RECORD_HEADER_BYTES + payloadBytes
}

export const isRecordIntact = (
  bytes: Buffer,
  at: number,
  end: number,
  position: number,
  salt: number,
): boolean => bytes.readUInt32LE(at) === crc32(bytes.subarray(at + 4, end), seed(salt, position))
