/**
 * How many bytes the files of a folder take, as it was some seconds ago: whoever asks never waits for a disk, and
 * however often it is asked, the files are looked at a few times a minute at most, in the background.
 */

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Env } from '../ports/env/env.ts'

const EVERY_MS = 10_000

/** @returns reads the size in bytes; not a number until it was taken for the first time */
export function createFolderSize(env: Env, folder: string): () => number {
  let bytes = Number.NaN
  let takenAtMs = -Infinity
  let isTaking = false

  async function take(): Promise<void> {
    isTaking = true
    try {
      bytes = await bytesIn(folder)
    } catch {
      // The folder cannot be listed now: the size before stands.
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
    // A file that the store has removed meanwhile takes no room.
    else
      bytes += await stat(path).then(
        ({ size }) => size,
        () => 0,
      )
  }
  return bytes
}
