/** The segment files of a folder, oldest first: listing and checking them, beginning a new one, removing old ones. */

import { join } from 'node:path'
import { RivuletError } from '../../../core/errors.ts'
import { damaged } from './examine.ts'
import type { SegmentFile, SegmentFiles } from './files.ts'
import { FILE_HEADER_BYTES, decodeFileHeader, encodeFileHeader, type FileHeader } from './format.ts'

export interface Segment extends FileHeader {
  readonly path: string
}

const SUFFIX = '.segment'
const UNFINISHED = '.tmp'
const NAME = /^\d{16}\.segment$/

export const segmentPath = (folder: string, base: number): string =>
  join(folder, String(base).padStart(16, '0') + SUFFIX)

/** A file gets its final name only once its header is durable, so a segment without a valid header is damaged. */
export async function createSegment(
  files: SegmentFiles,
  folder: string,
  header: FileHeader,
): Promise<{ segment: Segment; file: SegmentFile }> {
  const path = segmentPath(folder, header.base)
  const file = await files.open(path + UNFINISHED, 'create')
  await file.write(encodeFileHeader(header), 0)
  await file.sync()
  await files.rename(path + UNFINISHED, path)
  await files.syncFolder(folder)
  return { segment: { ...header, path }, file }
}

export interface ListedSegments {
  readonly segments: Segment[]
  /** The size of the last file. */
  readonly lastBytes: number
}

/**
 * Reads every header and checks that the files follow each other without a gap. A newer segment proves that the one before
 * it was durable up to its end, so a wrong length there is damage and never a torn write.
 */
export async function listSegments(files: SegmentFiles, folder: string): Promise<ListedSegments> {
  const names = (await files.list(folder)).filter((name) => NAME.test(name)).sort()
  const segments: Segment[] = []
  let lastBytes = 0
  for (const name of names) {
    const path = join(folder, name)
    const { header, sizeBytes } = await readHeader(files, path)
    if (header === undefined) throw damaged(path, 0)
    const segment = { ...header, path }
    checkJoin(segments.at(-1), lastBytes, segment, name)
    segments.push(segment)
    lastBytes = sizeBytes
  }
  return { segments, lastBytes }
}

async function readHeader(files: SegmentFiles, path: string) {
  const file = await files.open(path, 'read')
  try {
    const sizeBytes = await file.sizeBytes()
    const bytes = Buffer.alloc(Math.min(sizeBytes, FILE_HEADER_BYTES))
    await file.read(bytes, 0)
    const header = decodeFileHeader(bytes)
    if (header === 'newer') {
      throw new RivuletError(
        'data_newer_format',
        `${path} was written by a newer version of Rivulet; run that version`,
      )
    }
    return { header: header === 'damaged' ? undefined : header, sizeBytes }
  } finally {
    await file.close()
  }
}

function checkJoin(before: Segment | undefined, beforeBytes: number, segment: Segment, name: string): void {
  if (name !== String(segment.base).padStart(16, '0') + SUFFIX) {
    throw damaged(segment.path, 0, `its header says that it begins at position ${segment.base}`)
  }
  if (before === undefined) return
  if (segment.salt !== before.salt || segment.epoch < before.epoch) {
    throw damaged(segment.path, 0, 'it belongs to another log')
  }
  const end = before.base + beforeBytes - FILE_HEADER_BYTES
  if (end !== segment.base) {
    throw damaged(
      before.path,
      beforeBytes,
      `it ends at position ${end}, but the next begins at ${segment.base}`,
    )
  }
}

/**
 * Removes the oldest segments, as long as they end at or below `position` and were last written before
 * `writtenBeforeMs`, but never the newest one. A segment leaves the list first, so that no reader opens it.
 */
export async function removeOldSegments(
  files: SegmentFiles,
  folder: string,
  segments: Segment[],
  { position, writtenBeforeMs }: { position: number; writtenBeforeMs: number },
): Promise<void> {
  let removed = 0
  while (segments.length > 1 && segments[1].base <= position) {
    const [{ path }] = segments
    if ((await files.modifiedMs(path)) >= writtenBeforeMs) break
    segments.shift()
    await files.remove(path)
    removed++
  }
  if (removed > 0) await files.syncFolder(folder)
}
