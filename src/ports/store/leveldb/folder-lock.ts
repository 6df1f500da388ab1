/**
 * A lock on a folder that the system releases when its process ends, even by kill -9. Node.js cannot lock files, but
 * LevelDB does: the lock is the one that LevelDB takes on a database, here on an empty database in that folder.
 *
 * The lock belongs to the process and not to a file handle: this process would lose it if any of its code opened and
 * closed the file LOCK in that folder.
 */

import { isRivuletError, RivuletError } from '../../../core/errors.ts'
import { openLevelDb } from './open.ts'

export interface FolderLock {
  release(): Promise<void>
}

const TUNING = { writeBufferBytes: 65_536, cacheBytes: 0 }

/** Rejects with `data_locked` when another process, or another part of this process, holds the lock. */
export async function lockFolder(folder: string): Promise<FolderLock> {
  try {
    const db = await openLevelDb(folder, TUNING)
    return { release: () => db.close() }
  } catch (error) {
    if (!isRivuletError(error, 'data_corrupt')) throw error
    // It is not repaired here: two processes that repaired it at once would both hold a lock.
    const message = `the lock in ${folder} is damaged; make sure that nothing uses it, then delete that folder: it holds no data`
    throw new RivuletError('data_corrupt', message, { cause: error })
  }
}
