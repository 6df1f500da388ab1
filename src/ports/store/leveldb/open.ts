/** Opens LevelDB with the store's settings, and says in our terms why it would not open. */

import { link, mkdir, readdir, realpath, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { isRivuletError, RivuletError } from '../../../core/errors.ts'
import { corruptMessage, levelCode } from './guard.ts'
import { findWalDamage, mendWal } from './wal.ts'

export type LevelDb = ClassicLevel<string, Buffer>

const MIB = 2 ** 20

export interface LevelTuning {
  /** Two of these may be in memory; a crash replays up to two from the write-ahead files. */
  readonly writeBufferBytes: number
  /** Uncompressed blocks of tables; what the operating system caches comes on top. */
  readonly cacheBytes: number
}

export const LEVEL_TUNING: LevelTuning = { writeBufferBytes: 16 * MIB, cacheBytes: 64 * MIB }

/** With LevelDB's 2 MiB, a store of some gigabytes would have more files than it may hold open. */
const TABLE_FILE_BYTES = 16 * MIB

/**
 * The folders this process has open. LevelDB would refuse a second opening too, but in doing so it closes
 * the lock file, and with that the system drops the lock the first one holds.
 */
const openFolders = new Set<string>()

/** @param onNotice is told, in a sentence, what was cut from a damaged write-ahead file */
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
    // What looks damaged may be what another process is writing: only the lock can tell.
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
 * Holds the lock that LevelDB takes on a folder, without opening what is in it: an empty database in a
 * folder of its own has the same file LOCK, under a second name.
 */
async function underLevelLock(folder: string, task: () => Promise<void>): Promise<void> {
  const lockFolder = join(folder, `mending-${process.pid}`)
  const lockFile = join(folder, 'LOCK')
  // One that was left by a crash; LevelDB itself looks at no such name.
  await rm(lockFolder, { recursive: true, force: true })
  await mkdir(lockFolder)
  try {
    // A copy of a folder may be without it.
    await writeFile(lockFile, '', { flag: 'a' })
    await link(lockFile, join(lockFolder, 'LOCK'))
    const db = new ClassicLevel(lockFolder)
    await db.open()
    await task().finally(() => db.close())
  } finally {
    await rm(lockFolder, { recursive: true, force: true })
  }
}

/** Where CURRENT is gone, LevelDB starts a new database and deletes the files of the old one. */
async function assertNotBeheaded(folder: string): Promise<void> {
  const names = await readdir(folder)
  if (names.includes('CURRENT') || !names.some((name) => /\.(ldb|sst|log)$/.test(name))) return
  throw new RivuletError('data_corrupt', corruptMessage(folder, 'its file CURRENT is missing'))
}

function toOpenError(folder: string, error: unknown): RivuletError {
  if (isRivuletError(error)) return error
  // The driver says only that it is not open; why is in the cause.
  const cause = levelCode(error) === 'LEVEL_DATABASE_NOT_OPEN' && error instanceof Error ? error.cause : error
  const code = levelCode(cause)
  const detail = cause instanceof Error ? cause.message : String(cause)
  if (code === 'LEVEL_LOCKED') return lockedError(folder, 'another process', cause)
  // A file that should be there and is not is damage, not a failing disk.
  if (code === 'LEVEL_CORRUPTION' || (code === 'LEVEL_IO_ERROR' && detail.includes('No such file'))) {
    return new RivuletError('data_corrupt', corruptMessage(folder, detail), { cause })
  }
  const message = `the store in ${folder} cannot be opened (${detail}); check the disk, its free space and the rights on the folder`
  return new RivuletError('disk_error', message, { cause })
}

function lockedError(folder: string, owner: string, cause?: unknown): RivuletError {
  const message = `the store in ${folder} is in use by ${owner}; stop it or choose another folder`
  return new RivuletError('data_locked', message, { cause })
}
