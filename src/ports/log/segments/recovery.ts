/** Opens the folder of a segment log: checks its files, cuts a torn tail, or creates the first segment. */

import { RivuletError } from '../../../core/errors.ts'
import type { Env } from '../../env/env.ts'
import { damaged, examineLastSegment, type Tail } from './examine.ts'
import type { SegmentFile, SegmentFiles } from './files.ts'
import { FILE_HEADER_BYTES, encodeBatchHeader } from './format.ts'
import { createSegment, listSegments, segmentPath, type Segment } from './set.ts'
import { loadState, type LogState } from './state.ts'

export interface RecoveryOptions {
  readonly env: Env
  readonly files: SegmentFiles
  readonly folder: string
  readonly epoch: number | undefined
  readonly onNotice: (text: string) => void
}

export interface RecoveredLog {
  readonly segments: Segment[]
  /** The last segment, open for writing at its end. */
  readonly file: SegmentFile
  readonly end: number
  readonly groups: Map<string, number>
}

export async function recoverLog(options: RecoveryOptions): Promise<RecoveredLog> {
  const { files, folder, onNotice } = options
  await files.makeFolder(folder)
  const state = await loadState(files, folder)
  const { segments, lastBytes } = await listSegments(files, folder)
  if (segments.length > 0 && state === undefined) {
    onNotice(`the log folder ${folder} has no consumers.json, so every consumer starts at the oldest record`)
  }
  const durable = durableFloor(state)
  const last = segments.at(-1)
  if (last === undefined) return createLog(options, durable)
  checkStart(segments[0], state)
  const keptBytes = await repairTail(options, last, lastBytes, durable)
  const end = last.base + keptBytes - FILE_HEADER_BYTES
  const file = await openForAppend(options, segments, end)
  return { segments, file, end, groups: new Map(state?.groups) }
}

/** The position up to which the log is known to have been durable. Groups commit only durable positions. */
const durableFloor = (state: LogState | undefined): number =>
  state === undefined ? 0 : Math.max(state.durable, ...state.groups.values())

async function createLog(
  { env, files, folder, epoch }: RecoveryOptions,
  durable: number,
): Promise<RecoveredLog> {
  if (durable > 0) {
    throw damaged(
      segmentPath(folder, 0),
      0,
      `the log was durable up to position ${durable}, but no segment is left`,
    )
  }
  const salt = Buffer.from(env.randomBytes(4)).readUInt32LE(0)
  const { segment, file } = await createSegment(files, folder, { salt, epoch: epoch ?? 1, base: 0 })
  return { segments: [segment], file, end: 0, groups: new Map() }
}

function checkStart(first: Segment, state: LogState | undefined): void {
  for (const [group, position] of state?.groups ?? []) {
    if (position >= first.base) continue
    throw damaged(
      first.path,
      0,
      `the group ${group} is at position ${position}, but older segments are missing`,
    )
  }
}

/** @returns the size of the last segment afterwards */
async function repairTail(
  { files, onNotice }: RecoveryOptions,
  { path, base, salt }: Segment,
  sizeBytes: number,
  durable: number,
): Promise<number> {
  const file = await files.open(path, 'write')
  try {
    const bytes = Buffer.allocUnsafeSlow(sizeBytes)
    await file.read(bytes, 0)
    const tail = examineLastSegment({ path, bytes, base, salt }, durable)
    if (tail.keptBytes < sizeBytes) {
      await file.truncate(tail.keptBytes)
      await file.sync()
      onNotice(
        `cut ${sizeBytes - tail.keptBytes} bytes of an unfinished write off ${path} at byte ${tail.keptBytes}`,
      )
    }
    await rewriteLastBatch(file, tail, bytes, { base, salt })
    return tail.keptBytes
  } finally {
    await file.close()
  }
}

/**
 * Writes the last batch again and syncs it. Its bytes, although they could be read, may be in the page cache only: after
 * a kill they may not have been synced yet, and after a failed sync the system may take the pages for clean. The batch
 * gets a new header, because a cut may have shortened it.
 */
async function rewriteLastBatch(
  file: SegmentFile,
  { lastBatchAt, keptBytes }: Tail,
  bytes: Buffer,
  { base, salt }: { base: number; salt: number },
): Promise<void> {
  if (lastBatchAt < keptBytes) {
    encodeBatchHeader(
      bytes,
      lastBatchAt,
      keptBytes - lastBatchAt,
      base + lastBatchAt - FILE_HEADER_BYTES,
      salt,
    )
    await file.write(bytes.subarray(lastBatchAt, keptBytes), lastBatchAt)
  }
  await file.sync()
}

/** A higher epoch begins a new segment. A lower one is refused: old rows would win over new events. */
async function openForAppend(
  { files, folder, epoch }: RecoveryOptions,
  segments: Segment[],
  end: number,
): Promise<SegmentFile> {
  const last = segments[segments.length - 1]
  if (epoch === undefined || epoch === last.epoch) return files.open(last.path, 'write')
  if (epoch < last.epoch) {
    throw new RivuletError(
      'config_invalid',
      `the log in ${folder} has epoch ${last.epoch}; it cannot be opened with the lower epoch ${epoch}`,
    )
  }
  // An empty last segment has the name of the new one, and is replaced.
  if (last.base === end) segments.pop()
  const { segment, file } = await createSegment(files, folder, { salt: last.salt, epoch, base: end })
  segments.push(segment)
  return file
}
