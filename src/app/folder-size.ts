/**
 * The size of a folder's files, as it was some seconds ago. A reader never waits for the disk: the size is taken in the
 * background, at most every ten seconds however often it is read.
 */

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Env } from '../ports/env/env.ts'

const EVERY_MS = 10_000

/** @returns reads the size in bytes; `NaN` until it was taken for the first time */
export function createFolderSize(env: Env, folder: string): () => number {
  let bytes = Number.NaN
  let takenAtMs = -Infinity
  let isTaking = false

  async function take(): Promise<void> {
    isTaking = true
    try {
      bytes = await bytesIn(folder)
    } catch {
      // The folder cannot be listed now: the previous size stays.
    } finally {
      isTaking = false
      takenAtMs = env.monotonicMs()
    }
  }

  function read(): number {
    if (!isTaking && env.monotonicMs() - takenAtMs >= EVERY_MS) void take()
    return bytes
  }
  read()
  return read
}

async function bytesIn(folder: string): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) bytes += await bytesIn(path)
    // The store may have removed a file meanwhile: it counts as empty.
    else
      bytes += await stat(path).then(
        ({ size }) => size,
        () => 0,
      )
  }
  return bytes
}
