/**
 * A folder in memory, where the system has such: for tests that copy and damage thousands of small files, and ask what
 * is read of them. What a disk keeps is asked elsewhere.
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
