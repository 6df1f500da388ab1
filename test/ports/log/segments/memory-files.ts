/** Files in memory for the segment log, which can be opened thousands of times a second and fail on demand. */

import { basename } from 'node:path'
import type { SegmentFile, SegmentFiles } from '../../../../src/ports/log/segments/files.ts'

export type FileContents = Map<string, Buffer>

export function memoryFiles(contents: FileContents): SegmentFiles {
  const get = (path: string) => contents.get(basename(path)) ?? Buffer.alloc(0)
  return {
    async makeFolder() {},
    list: async () => [...contents.keys()],
    async open(path, mode) {
      if (mode === 'create') contents.set(basename(path), Buffer.alloc(0))
      let name = basename(path)
      // Only a new segment is renamed while it is open.
      const current = () => {
        if (!contents.has(name)) name = name.replace('.tmp', '')
        return name
      }
      return memoryFile(contents, current)
    },
    readText: async (path) => (contents.has(basename(path)) ? get(path).toString() : undefined),
    async rename(from, to) {
      contents.set(basename(to), get(from))
      contents.delete(basename(from))
    },
    async remove(path) {
      contents.delete(basename(path))
    },
    modifiedMs: async () => 0,
    async syncFolder() {},
  }
}

function memoryFile(contents: FileContents, name: () => string): SegmentFile {
  const bytes = () => contents.get(name())!
  return {
    read: async (into, offset) => bytes().copy(into, 0, offset),
    async write(from, offset) {
      const size = Math.max(bytes().length, offset + from.byteLength)
      const next = Buffer.alloc(size)
      bytes().copy(next)
      next.set(from, offset)
      contents.set(name(), next)
    },
    async datasync() {},
    async sync() {},
    async truncate(size) {
      contents.set(name(), Buffer.from(bytes().subarray(0, size)))
    },
    sizeBytes: async () => bytes().length,
    async close() {},
  }
}

/** Awaits `before` before every operation on an open file. An error that it throws is that of the disk. */
export function interceptFiles(
  files: SegmentFiles,
  before: (operation: keyof SegmentFile, path: string) => void | Promise<void>,
): SegmentFiles {
  return {
    ...files,
    async open(path, mode) {
      const file = await files.open(path, mode)
      const wrap = <K extends keyof SegmentFile>(operation: K): SegmentFile[K] =>
        (async (...args: unknown[]) => {
          await before(operation, path)
          return (file[operation] as (...rest: unknown[]) => unknown)(...args)
        }) as unknown as SegmentFile[K]
      return {
        read: wrap('read'),
        write: wrap('write'),
        datasync: wrap('datasync'),
        sync: wrap('sync'),
        truncate: wrap('truncate'),
        sizeBytes: wrap('sizeBytes'),
        close: wrap('close'),
      }
    },
  }
}
