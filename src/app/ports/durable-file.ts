/** Small files that are either the old or the new one, whenever the power fails. */

import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncFolder } from '../../ports/folder.ts'

const OWNER_ONLY = 0o600

/** Where a file is while it is being written. */
export const draftOf = (path: string): string => `${path}.tmp`

export async function writeFileDurably(path: string, content: string): Promise<void> {
  const draft = draftOf(path)
  const file = await open(draft, 'w', OWNER_ONLY)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
  await syncFolder(dirname(path))
}
