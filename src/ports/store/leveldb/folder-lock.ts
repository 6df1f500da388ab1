/**
 * A lock on a folder that ends with its holder, also at kill -9. Node cannot lock a file, LevelDB can:
 * the lock is the one it takes on a database, here one without a row.
 *
 * The lock belongs to the process, not to the file handle: whoever in this process opens and closes the
 * file LOCK in that folder, gives it up.
 */

import { isRivuletError, RivuletError } from '../../../core/errors.ts'
import { openLevelDb } from './open.ts'

export interface FolderLock {
  release(): Promise<void>
}

const TUNING = { writeBufferBytes: 65_536, cacheBytes: 0 }

/** Rejects with `data_locked` where another process, or another part of this one, has it. */
export async function lockFolder(folder: string): Promise<FolderLock> {
  try {
    const db = await openLevelDb(folder, TUNING)
    return { release: () => db.close() }
  } catch (error) {
    if (!isRivuletError(error, 'data_corrupt')) throw error
    // Not made anew by us: two processes that did so at once would both have a lock.
    const message = `the lock in ${folder} is damaged; make sure that nothing uses it, then delete that folder: it holds no data`
    throw new RivuletError('data_corrupt', message, { cause: error })
  }
}
