/** Writes small files so that, if the power fails, a file has either its old or its new content. */

import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncFolder } from '../../ports/folder.ts'

const OWNER_ONLY = 0o600

/** The path of a file while its new content is being written. */
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
