/**
 * The file `consumers.json`: the committed position of each group, and a position up to which the log is known to be
 * durable. It is replaced as a whole (temporary file, sync, rename). The durable position lets recovery notice that the
 * log has lost its end. The CRC lets it notice a changed digit: a position that is too high would skip records.
 */

import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { RivuletError } from '../../../core/errors.ts'
import type { Env } from '../../env/env.ts'
import type { SegmentFiles } from './files.ts'

const FORMAT_VERSION = 1
const NAME = 'consumers.json'

export interface LogState {
  readonly durable: number
  readonly groups: ReadonlyMap<string, number>
}

const checksum = (durable: number, groups: ReadonlyArray<readonly [string, number]>): number =>
  crc32(JSON.stringify([FORMAT_VERSION, durable, groups]))

export async function loadState(files: SegmentFiles, folder: string): Promise<LogState | undefined> {
  const path = join(folder, NAME)
  const text = await files.readText(path)
  return text === undefined ? undefined : parseState(text, path)
}

function parseState(text: string, path: string): LogState {
  const state = parseJson(text) as {
    format?: number
    durable: number
    groups: Array<[string, number]>
    crc32: number
  }
  if (typeof state?.format === 'number' && state.format > FORMAT_VERSION) {
    throw new RivuletError(
      'data_newer_format',
      `${path} was written by a newer version of Rivulet; run that version`,
    )
  }
  if (state?.format !== FORMAT_VERSION || state.crc32 !== checksum(state.durable, state.groups)) {
    throw new RivuletError(
      'data_corrupt',
      `${path} is damaged. Restore it from a backup, or delete it: then every consumer starts at the oldest ` +
        'record, and a loss at the end of the log may go unnoticed',
    )
  }
  return { durable: state.durable, groups: new Map(state.groups) }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export async function saveState(files: SegmentFiles, folder: string, state: LogState): Promise<void> {
  const groups = [...state.groups]
  const crc = checksum(state.durable, groups)
  const text = JSON.stringify({ format: FORMAT_VERSION, durable: state.durable, groups, crc32: crc })
  const path = join(folder, NAME)
  const file = await files.open(`${path}.tmp`, 'create')
  try {
    await file.write(Buffer.from(text), 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await files.rename(`${path}.tmp`, path)
  await files.syncFolder(folder)
}

/** About the longest time until a commit, or a newly durable position, is in the file. */
const SAVE_DELAY_MS = 1_000

export interface StateSaver {
  /** Saves within a second. */
  schedule(): void
  /** Resolves when the present state is on disk. */
  save(): Promise<void>
  /** Ends scheduled saves. */
  stop(): void
}

/** Runs one save at a time; scheduled ones at most about once a second. */
export function createStateSaver(
  env: Env,
  save: () => Promise<void>,
  onFailure: (error: unknown) => void,
): StateSaver {
  let timer: { cancel(): void } | undefined
  let saving = Promise.resolve()
  const saveNext = () => (saving = saving.catch(() => undefined).then(save))
  return {
    schedule() {
      timer ??= env.timer(SAVE_DELAY_MS, () => {
        timer = undefined
        saveNext().catch(onFailure)
      })
    },
    save: () => saveNext(),
    stop() {
      timer?.cancel()
      timer = { cancel: () => undefined }
    },
  }
}
