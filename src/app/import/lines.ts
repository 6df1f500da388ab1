/** A text file in batches of lines: UTF-8, with or without a byte order mark, Unix or Windows line ends. */

import { type FileHandle, open } from 'node:fs/promises'
import { basename } from 'node:path'
import { RivuletError } from '../../core/errors.ts'

const WINDOW_BYTES = 1 << 20
/** A longer line is not one of ours: it is cut here and its pieces are refused for what they then are. */
const LINE_CHARS_MAX = 4 << 20

export interface LineBatch {
  readonly file: string
  /** Number of the first line. */
  readonly first: number
  readonly lines: readonly string[]
  /** How far into the file. */
  readonly bytesRead: number
  readonly bytesTotal: number
}

export async function* readLines(path: string): AsyncGenerator<LineBatch> {
  const handle = await openFile(path)
  const file = basename(path)
  try {
    const { size: bytesTotal } = await handle.stat()
    const decoder = new TextDecoder()
    const window = Buffer.allocUnsafe(WINDOW_BYTES)
    let bytesRead = 0
    let rest = ''
    for (let first = 1; ;) {
      const size = await readWindow(handle, window, path)
      bytesRead += size
      const text = rest + decoder.decode(window.subarray(0, size), { stream: size > 0 })
      const lines = text.split('\n')
      rest = size > 0 ? (lines.pop() ?? '') : ''
      if (rest.length > LINE_CHARS_MAX) {
        lines.push(rest)
        rest = ''
      }
      // What follows the last line end is a line only if there is something.
      if (size === 0 && lines.at(-1) === '') lines.pop()
      for (let i = 0; i < lines.length; i++) if (lines[i].endsWith('\r')) lines[i] = lines[i].slice(0, -1)
      if (lines.length > 0) yield { file, first, lines, bytesRead, bytesTotal }
      first += lines.length
      if (size === 0) return
    }
  } finally {
    await handle.close()
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path)
  } catch (error) {
    throw unreadable(path, error)
  }
}

async function readWindow(handle: FileHandle, window: Buffer, path: string): Promise<number> {
  try {
    return (await handle.read(window, 0, window.length)).bytesRead
  } catch (error) {
    throw unreadable(path, error)
  }
}

/** Before anything is written: a name with a slip in it must not leave half an import behind. */
export async function assertReadable(path: string): Promise<void> {
  const handle = await openFile(path)
  const isFile = (await handle.stat()).isFile()
  await handle.close()
  if (!isFile) throw unreadable(path, new Error('it is not a file'))
}

const unreadable = (path: string, error: unknown): RivuletError =>
  new RivuletError(
    'import_invalid',
    `${path} cannot be read (${(error as Error).message}); check its name and rights`,
    { cause: error },
  )
