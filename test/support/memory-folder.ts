/**
 * A folder in memory, where the system offers one: for tests that copy and damage thousands of small files and check what is
 * read from them. Other tests check what a disk keeps.
 */

import { accessSync, constants } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const IN_MEMORY = '/dev/shm'

export function memoryFolder(prefix: string): Promise<string> {
  try {
    accessSync(IN_MEMORY, constants.W_OK)
    return mkdtemp(join(IN_MEMORY, prefix))
  } catch {
    return mkdtemp(join(tmpdir(), prefix))
  }
}
