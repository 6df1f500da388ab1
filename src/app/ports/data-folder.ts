/**
 * The folder that holds everything a single-process Rivulet keeps. It belongs to one process at a time
 * and says which format it has, so that an older program never touches newer data.
 *
 *   format.json   the format, written once
 *   lock/         held as long as the folder is open; the operating system frees it when the process ends
 *   owner.json    who holds it, for the message that refuses the next; may be stale
 *   store/ log/   the data
 *   timelines     what a process that ended cleanly had in memory, for the next one
 */

import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { isRivuletError, RivuletError } from '../../core/errors.ts'
import type { Env } from '../../ports/env/env.ts'
import { type FolderLock, lockFolder } from '../../ports/store/leveldb/folder-lock.ts'
import { syncFolder } from '../../ports/folder.ts'
import { draftOf, writeFileDurably } from './durable-file.ts'

export const FORMAT = 1

export interface DataFolder {
  readonly folder: string
  readonly storeFolder: string
  readonly logFolder: string
  readonly timelinesFile: string
  /** Rows were imported. The log does not hold them, so a store without them is not complete. */
  readonly hasImports: boolean
  /** Call it last: another process may open the folder from then on. */
  close(): Promise<void>
}

export interface DataFolderOptions {
  readonly folder: string
  readonly env: Env
}

const FORMAT_FILE = 'format.json'
const OWNER_FILE = 'owner.json'
/** A note of this name says that rows were imported. */
export const IMPORTED_FILE = 'imported.json'
const LOCK_FOLDER = 'lock'
const OWNER_ONLY = 0o700

/** Names that a new folder may hold: a new disk's own folder, and what a crash at the first start leaves. */
const NOT_FOREIGN = new Set([
  'lost+found',
  LOCK_FOLDER,
  OWNER_FILE,
  draftOf(OWNER_FILE),
  draftOf(FORMAT_FILE),
])

/** Throws unless the folder is a data folder: commands that read existing data must not create one. */
export function assertDataFolder(folder: string): void {
  if (existsSync(join(folder, FORMAT_FILE))) return
  const message = `${resolve(folder)} is not a data folder of Rivulet; name one with --data`
  throw new RivuletError('config_invalid', message)
}

export async function openDataFolder(options: DataFolderOptions): Promise<DataFolder> {
  const folder = resolve(options.folder)
  try {
    await createFolder(folder)
    await assertOurs(folder)
    const lock = await lockOrExplain(folder)
    try {
      return await openLocked(folder, options.env, lock)
    } catch (error) {
      await lock.release()
      throw error
    }
  } catch (error) {
    throw toFolderError(folder, error)
  }
}

async function openLocked(folder: string, env: Env, lock: FolderLock): Promise<DataFolder> {
  const ownerFile = join(folder, OWNER_FILE)
  const [storeFolder, logFolder] = [join(folder, 'store'), join(folder, 'log')]
  await writeFileDurably(ownerFile, toJson({ pid: process.pid, since_ms: env.wallMs() }))
  // Checked again under the lock: another process may have written the format since the first check.
  if ((await readFormat(folder)) === undefined) {
    await writeFileDurably(join(folder, FORMAT_FILE), toJson({ format: FORMAT, created_at_ms: env.wallMs() }))
  }
  for (const each of [storeFolder, logFolder]) await mkdir(each, { recursive: true, mode: OWNER_ONLY })
  await syncFolder(folder)
  return {
    folder,
    storeFolder,
    logFolder,
    timelinesFile: join(folder, 'timelines'),
    hasImports: (await readIfThere(join(folder, IMPORTED_FILE))) !== undefined,
    async close() {
      await rm(ownerFile, { force: true })
      await lock.release()
    },
  }
}

async function createFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: OWNER_ONLY })
  if (first !== undefined) await syncFolder(dirname(first))
}

async function assertOurs(folder: string): Promise<void> {
  if ((await readFormat(folder)) !== undefined) return
  const foreign = (await readdir(folder)).find((name) => !NOT_FOREIGN.has(name))
  if (foreign === undefined) return
  const message = `${folder} is not empty (it holds ${foreign}) and not a data folder of Rivulet; choose a new or empty folder`
  throw new RivuletError('config_invalid', message)
}

/** @returns `undefined` for a folder without a format; throws for one that this program must not touch */
async function readFormat(folder: string): Promise<number | undefined> {
  const path = join(folder, FORMAT_FILE)
  const content = await readIfThere(path)
  if (content === undefined) return undefined
  const format = parseField(content, 'format')
  if (format === undefined) {
    const message = `${path} is damaged; restore it from a backup of the data folder`
    throw new RivuletError('data_corrupt', message)
  }
  if (format > FORMAT) {
    const message = `${folder} has format ${format}, this version of Rivulet supports up to ${FORMAT}; install a newer version`
    throw new RivuletError('data_newer_format', message)
  }
  return format
}

async function lockOrExplain(folder: string): Promise<FolderLock> {
  try {
    return await lockFolder(join(folder, LOCK_FOLDER))
  } catch (error) {
    if (!isRivuletError(error, 'data_locked')) throw error
    const pid = parseField((await readIfThere(join(folder, OWNER_FILE))) ?? '', 'pid')
    const owner = pid === undefined ? 'another process' : `process ${pid}`
    const message = `${folder} is in use by ${owner}; stop it or choose another data folder`
    throw new RivuletError('data_locked', message, { cause: error })
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** The positive whole number `name` of a JSON object; `undefined` if the text does not have it. */
function parseField(content: string, name: string): number | undefined {
  try {
    const value: unknown = JSON.parse(content)?.[name]
    return Number.isSafeInteger(value) && Number(value) > 0 ? Number(value) : undefined
  } catch {
    return undefined
  }
}

function toFolderError(folder: string, error: unknown): RivuletError {
  if (isRivuletError(error)) return error
  const detail = error instanceof Error ? error.message : String(error)
  const message = `the data folder ${folder} cannot be used (${detail}); check that it is a folder, its rights and its free space`
  return new RivuletError('disk_error', message, { cause: error })
}

const toJson = (value: object): string => `${JSON.stringify(value)}\n`
