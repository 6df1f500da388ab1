/** Opens LevelDB with the store's settings, and explains in our own terms why a database cannot be opened. */

import { link, mkdir, readdir, realpath, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { isRivuletError, RivuletError } from '../../../core/errors.ts'
import { corruptMessage, levelCode } from './guard.ts'
import { findWalDamage, mendWal } from './wal.ts'

export type LevelDb = ClassicLevel<string, Buffer>

const MIB = 2 ** 20

export interface LevelTuning {
  /** Up to two buffers may be in memory; after a crash, LevelDB restores them from its write-ahead files. */
  readonly writeBufferBytes: number
  /** For uncompressed blocks of tables; the operating system's cache comes on top. */
  readonly cacheBytes: number
}

export const LEVEL_TUNING: LevelTuning = { writeBufferBytes: 16 * MIB, cacheBytes: 64 * MIB }

/** With LevelDB's 2 MiB, a store of some gigabytes would have more files than it may hold open. */
const TABLE_FILE_BYTES = 16 * MIB

/**
 * The folders that this process has open. LevelDB would refuse to open one twice, too, but then closes the lock file, and
 * the system drops the lock that the first opening holds.
 */
const openFolders = new Set<string>()

/** @param onNotice receives a sentence about what was cut from a damaged write-ahead file */
export async function openLevelDb(
  folder: string,
  tuning: LevelTuning = LEVEL_TUNING,
  onNotice: (text: string) => void = () => undefined,
): Promise<LevelDb> {
  const id = await createFolder(folder)
  if (openFolders.has(id)) throw lockedError(folder, 'this process')
  openFolders.add(id)
  const close = () => void openFolders.delete(id)
  try {
    await assertNotBeheaded(folder)
    // What looks damaged may be a write of another process under way: look again under the lock.
    if ((await findWalDamage(folder)) !== undefined) {
      await underLevelLock(folder, () => mendWal(folder, onNotice))
    }
    const db = createDb(folder, tuning)
    await db.open()
    return db.once('closed', close)
  } catch (error) {
    close()
    throw toOpenError(folder, error)
  }
}

/** @returns its real path */
async function createFolder(folder: string): Promise<string> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    return await realpath(folder)
  } catch (error) {
    throw toOpenError(folder, error)
  }
}

const createDb = (folder: string, tuning: LevelTuning): LevelDb =>
  new ClassicLevel(folder, {
    keyEncoding: 'utf8',
    valueEncoding: 'buffer',
    writeBufferSize: tuning.writeBufferBytes,
    cacheSize: tuning.cacheBytes,
    maxFileSize: TABLE_FILE_BYTES,
  })

/**
 * Holds the lock that LevelDB takes on a folder, without opening the database in it: an empty database is opened in
 * another folder, whose file LOCK is a hard link to the LOCK of the first.
 */
async function underLevelLock(folder: string, task: () => Promise<void>): Promise<void> {
  const lockFolder = join(folder, `mending-${process.pid}`)
  const lockFile = join(folder, 'LOCK')
  // A crash may have left one. LevelDB ignores folders with such names.
  await rm(lockFolder, { recursive: true, force: true })
  await mkdir(lockFolder)
  try {
    // A folder that was copied may be without the file.
    await writeFile(lockFile, '', { flag: 'a' })
    await link(lockFile, join(lockFolder, 'LOCK'))
    const db = new ClassicLevel(lockFolder)
    await db.open()
    await task().finally(() => db.close())
  } finally {
    await rm(lockFolder, { recursive: true, force: true })
  }
}

/** Without the file CURRENT, LevelDB would start a new database and delete the files of the old one. */
async function assertNotBeheaded(folder: string): Promise<void> {
  const names = await readdir(folder)
  if (names.includes('CURRENT') || !names.some((name) => /\.(ldb|sst|log)$/.test(name))) return
  throw new RivuletError('data_corrupt', corruptMessage(folder, 'its file CURRENT is missing'))
}

function toOpenError(folder: string, error: unknown): RivuletError {
  if (isRivuletError(error)) return error
  // The driver's own error says only that the database is not open; its cause says why.
  const cause = levelCode(error) === 'LEVEL_DATABASE_NOT_OPEN' && error instanceof Error ? error.cause : error
  const code = levelCode(cause)
  const detail = cause instanceof Error ? cause.message : String(cause)
  if (code === 'LEVEL_LOCKED') return lockedError(folder, 'another process', cause)
  // A missing file means damaged data, not a failing disk.
  if (code === 'LEVEL_CORRUPTION' || (code === 'LEVEL_IO_ERROR' && detail.includes('No such file'))) {
    return new RivuletError('data_corrupt', corruptMessage(folder, detail), { cause })
  }
  const message = `the store in ${folder} cannot be opened (${detail}); check the disk, its free space and the permissions of the folder`
  return new RivuletError('disk_error', message, { cause })
}

function lockedError(folder: string, owner: string, cause?: unknown): RivuletError {
  const message = `the store in ${folder} is in use by ${owner}; stop it or choose another folder`
  return new RivuletError('data_locked', message, { cause })
}
