/**
 * The few file operations that the segment log needs. Tests replace them with disks that fail. They use callbacks and not
 * `FileHandle`s, with which a write and its sync measured 5 to 20 % slower.
 */

import * as fs from 'node:fs'
import { syncFolder } from '../../folder.ts'
import { promisify } from 'node:util'

export interface SegmentFile {
  /** Fills `into` with the bytes from `offset` on. @returns how many: fewer than asked for only at the end of the file */
  read(into: Uint8Array, offset: number): Promise<number>
  /** Writes all of `bytes`. */
  write(bytes: Uint8Array, offset: number): Promise<void>
  /** Syncs the content, and the metadata that reading it needs (fdatasync). */
  datasync(): Promise<void>
  sync(): Promise<void>
  truncate(sizeBytes: number): Promise<void>
  sizeBytes(): Promise<number>
  close(): Promise<void>
}

export interface SegmentFiles {
  makeFolder(folder: string): Promise<void>
  list(folder: string): Promise<readonly string[]>
  open(path: string, mode: 'create' | 'write' | 'read'): Promise<SegmentFile>
  /** @returns `undefined` if there is no such file */
  readText(path: string): Promise<string | undefined>
  rename(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  modifiedMs(path: string): Promise<number>
  syncFolder(folder: string): Promise<void>
}

const read = promisify(fs.read)
const write = promisify(fs.write)
const fdatasync = promisify(fs.fdatasync)
const fsync = promisify(fs.fsync)
const open = promisify(fs.open)
const close = promisify(fs.close)

const FLAGS = { create: 'w+', write: 'r+', read: 'r' } as const

export const nodeFiles: SegmentFiles = {
  async makeFolder(folder) {
    await fs.promises.mkdir(folder, { recursive: true })
  },
  list: (folder) => fs.promises.readdir(folder),
  open: async (path, mode) => segmentFile(await open(path, FLAGS[mode], 0o600)),
  readText: (path) =>
    fs.promises.readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    }),
  rename: (from, to) => fs.promises.rename(from, to),
  remove: (path) => fs.promises.rm(path, { force: true }),
  modifiedMs: async (path) => (await fs.promises.stat(path)).mtimeMs,
  syncFolder,
}

const segmentFile = (descriptor: number): SegmentFile => ({
  async read(into, offset) {
    let done = 0
    while (done < into.byteLength) {
      const { bytesRead } = await read(descriptor, into, done, into.byteLength - done, offset + done)
      if (bytesRead === 0) break
      done += bytesRead
    }
    return done
  },
  async write(bytes, offset) {
    // A nearly full disk may take only a part; the next write then fails with the disk's own error.
    for (let done = 0; done < bytes.byteLength;) {
      done += (await write(descriptor, bytes, done, bytes.byteLength - done, offset + done)).bytesWritten
    }
  },
  datasync: () => fdatasync(descriptor),
  sync: () => fsync(descriptor),
  truncate: promisify(fs.ftruncate).bind(undefined, descriptor) as (sizeBytes: number) => Promise<void>,
  sizeBytes: async () => (await promisify(fs.fstat)(descriptor)).size,
  close: () => close(descriptor),
})
