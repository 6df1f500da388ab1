/**
 * Tells a torn tail, which may be cut, from damage, which must not be. It is pure: bytes in, verdict out.
 *
 * A crash leaves at most the *last* batch unfinished, because each batch is synced before the next is written. A crash can
 * do two things to that batch: the file is too short, or whole sectors of it read as zeros.
 *
 * Refused as damage, because an acknowledged record may be hit:
 * - anything bad that is followed by a valid batch header, which proves that it was durable;
 * - anything bad or missing below `durable`, the position that the state file recorded about every second and at every
 *   clean close;
 * - bad bytes in the last batch if every sector of them was written: no torn write looks like that.
 *
 * Cut as a torn tail, although it may be a loss of acknowledged records, which looks the same:
 * - the end of a file that ends early, at or above `durable`;
 * - a bad record or batch header at or above `durable` that touches a sector of zeros, with nothing valid after it;
 * - bytes after the last batch in which no record can be made out.
 */

import { RivuletError } from '../../../core/errors.ts'
import {
  BATCH_HEADER_BYTES,
  BATCH_MARKER,
  FILE_HEADER_BYTES,
  RECORD_HEADER_BYTES,
  batchBytesAt,
  isRecordIntact,
  recordEndAt,
} from './format.ts'

const SECTOR_BYTES = 512
const BATCH_BYTES_MIN = BATCH_HEADER_BYTES + RECORD_HEADER_BYTES

export interface ExaminedFile {
  readonly path: string
  readonly bytes: Buffer
  readonly base: number
  readonly salt: number
}

/** The bytes below `keptBytes` stay. The last batch in them begins at `lastBatchAt`, and may have been shortened. */
export interface Tail {
  readonly keptBytes: number
  readonly lastBatchAt: number
}

/** The first place, from the front, at which the bytes are not as they were written. */
interface Flaw {
  readonly batchAt: number
  readonly at: number
  /** Where the bad record or header ends; this may be beyond the end of the file. */
  readonly end: number
}

export function examineLastSegment(file: ExaminedFile, durable: number): Tail {
  const { flaw, lastBatchAt } = walk(file)
  const tail = tailBefore(flaw, { keptBytes: file.bytes.length, lastBatchAt })
  if (flaw !== undefined && (hasBatchBehind(file, flaw) || !looksTorn(file, flaw))) {
    throw damaged(file.path, flaw.at)
  }
  if (positionAt(file, tail.keptBytes) < durable) {
    throw damaged(file.path, tail.keptBytes, `it was durable up to byte ${offsetOf(file, durable)}`)
  }
  return tail
}

export const damaged = (
  path: string,
  offset: number,
  detail = 'the bytes there are not as they were written',
) =>
  new RivuletError(
    'data_corrupt',
    `log segment ${path} is damaged at byte ${offset}: ${detail}. Restore the log folder from a backup. ` +
      `Or, to give up every record from there on: cut this file to ${offset} bytes, delete the newer ` +
      'segments and consumers.json, and start with a higher log epoch.',
  )

const positionAt = (file: ExaminedFile, offset: number): number => file.base + offset - FILE_HEADER_BYTES
const offsetOf = (file: ExaminedFile, position: number): number => position - file.base + FILE_HEADER_BYTES

/** `lastBatchAt` is the last whole batch before the flaw. */
function walk(file: ExaminedFile): { flaw: Flaw | undefined; lastBatchAt: number } {
  let lastBatchAt = FILE_HEADER_BYTES
  for (let at = FILE_HEADER_BYTES; at < file.bytes.length;) {
    const sizeBytes = batchBytesAt(file.bytes, at, positionAt(file, at), file.salt)
    if (sizeBytes === 0) return { flaw: { batchAt: at, at, end: at + BATCH_HEADER_BYTES }, lastBatchAt }
    const flaw = firstFlawInBatch(file, at, at + sizeBytes)
    if (flaw !== undefined) return { flaw, lastBatchAt }
    lastBatchAt = at
    at += sizeBytes
  }
  return { flaw: undefined, lastBatchAt }
}

function firstFlawInBatch(file: ExaminedFile, batchAt: number, batchEnd: number): Flaw | undefined {
  const { bytes } = file
  for (let at = batchAt + BATCH_HEADER_BYTES; at < batchEnd;) {
    const end = recordEndAt(bytes, at)
    if (end === 0 || end > batchEnd) return { batchAt, at, end: at + RECORD_HEADER_BYTES }
    if (end > bytes.length || !isRecordIntact(bytes, at, end, positionAt(file, at), file.salt)) {
      return { batchAt, at, end }
    }
    at = end
  }
  return undefined
}

/** Whole records before the flaw stay, including those in the same batch. */
function tailBefore(flaw: Flaw | undefined, whole: Tail): Tail {
  if (flaw === undefined) return whole
  const { batchAt, at } = flaw
  if (at <= batchAt + BATCH_HEADER_BYTES) return { keptBytes: batchAt, lastBatchAt: whole.lastBatchAt }
  return { keptBytes: at, lastBatchAt: batchAt }
}

function hasBatchBehind(file: ExaminedFile, flaw: Flaw): boolean {
  let at = file.bytes.indexOf(BATCH_MARKER, flaw.at + 1)
  while (at >= 0) {
    if (batchBytesAt(file.bytes, at, positionAt(file, at), file.salt) >= BATCH_BYTES_MIN) return true
    at = file.bytes.indexOf(BATCH_MARKER, at + 1)
  }
  return false
}

function looksTorn(file: ExaminedFile, flaw: Flaw): boolean {
  if (flaw.end > file.bytes.length || touchesUnwrittenSector(file.bytes, flaw)) return true
  // A bad batch header with a valid record right after it was a batch, so it is damaged. Without one it is garbage.
  if (flaw.at !== flaw.batchAt) return false
  const recordAt = flaw.at + BATCH_HEADER_BYTES
  const end = recordEndAt(file.bytes, recordAt)
  const isRecord =
    end > 0 &&
    end <= file.bytes.length &&
    isRecordIntact(file.bytes, recordAt, end, positionAt(file, recordAt), file.salt)
  return !isRecord
}

/** In a sector that was never written, all bytes of this batch are zero; bytes of earlier batches may be there. */
function touchesUnwrittenSector(bytes: Buffer, { batchAt, at, end }: Flaw): boolean {
  for (let sectorAt = at - (at % SECTOR_BYTES); sectorAt < end; sectorAt += SECTOR_BYTES) {
    const from = Math.max(sectorAt, batchAt)
    if (bytes.subarray(from, sectorAt + SECTOR_BYTES).every((byte) => byte === 0)) return true
  }
  return false
}
