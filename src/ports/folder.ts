/** What files in a folder share. */

import { open } from 'node:fs/promises'

/** A new name, and the end of an old one, are durable only when their folder is. */
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
