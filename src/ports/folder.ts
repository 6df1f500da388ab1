/** Makes changes of a folder durable, for adapters that keep files. */

import { open } from 'node:fs/promises'

/** Call it after creating, renaming or removing a file: syncing the file does not make its name durable. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows cannot sync a folder, and needs no such call: its metadata is journalled in order.
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
