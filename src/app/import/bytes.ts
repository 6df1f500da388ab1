/** Reads a file in windows of bytes, decompressing gzip. Known formats other than text are refused by name. */

import { type FileHandle, open, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream'
import { createGunzip, type Gunzip } from 'node:zlib'
import { RivuletError } from '../../core/errors.ts'

const WINDOW_BYTES = 1 << 20
const GUNZIP_CHUNK_BYTES = 1 << 18

export interface Window {
  readonly bytes: Buffer
  /** Bytes read of the file as it is on the disk. */
  readonly bytesRead: number
  readonly bytesTotal: number
}

/** Windows of about a mebibyte; the last one is empty. A byte order mark of UTF-8 is removed. */
export async function* readWindows(path: string): AsyncGenerator<Window> {
  const handle = await openFile(path)
  try {
    const { size: bytesTotal } = await handle.stat()
    const windows = (await isGzip(handle)) ? gunzip(handle, path) : readPlain(handle)
    let isFirst = true
    for await (const { bytes, bytesRead } of windows) {
      if (isFirst) assertText(bytes, path)
      yield { bytes: isFirst ? withoutMark(bytes) : bytes, bytesRead, bytesTotal }
      isFirst = false
    }
  } catch (error) {
    throw readError(path, error)
  } finally {
    await handle.close()
  }
}

type Bytes = Pick<Window, 'bytes' | 'bytesRead'>

async function* readPlain(handle: FileHandle): AsyncGenerator<Bytes> {
  for (let bytesRead = 0; ;) {
    const window = Buffer.allocUnsafe(WINDOW_BYTES)
    const { bytesRead: size } = await handle.read(window, 0, WINDOW_BYTES, bytesRead)
    bytesRead += size
    yield { bytes: window.subarray(0, size), bytesRead }
    if (size === 0) return
  }
}

async function isGzip(handle: FileHandle): Promise<boolean> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0)
  return bytesRead === 2 && buffer.readUInt16BE() === 0x1f8b
}

/** Collects chunks into windows as large as those of a plain file: larger windows mean fewer lines cut in two. */
async function* gunzip(handle: FileHandle, path: string): AsyncGenerator<Bytes> {
  const stream = createGunzip({ chunkSize: GUNZIP_CHUNK_BYTES })
  pipeline(handle.createReadStream({ start: 0, autoClose: false }), stream, () => undefined)
  let [chunks, size] = [[] as Buffer[], 0]
  for await (const chunk of gunzipped(stream, path)) {
    chunks.push(chunk)
    size += chunk.length
    if (size < WINDOW_BYTES) continue
    yield { bytes: Buffer.concat(chunks), bytesRead: stream.bytesWritten }
    ;[chunks, size] = [[], 0]
  }
  if (size > 0) yield { bytes: Buffer.concat(chunks), bytesRead: stream.bytesWritten }
  yield { bytes: Buffer.alloc(0), bytesRead: stream.bytesWritten }
}

async function* gunzipped(stream: Gunzip, path: string): AsyncGenerator<Buffer> {
  try {
    yield* stream as AsyncIterable<Buffer>
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'Z_BUF_ERROR') throw refused(path, 'is cut off: its gzip data does not end', error)
    if (code === 'Z_DATA_ERROR')
      throw refused(path, `has gzip data that is damaged (${(error as Error).message})`, error)
    throw error
  }
}

/** First bytes, in hexadecimal, of files that are not text, and advice for each. */
const FORMATS: readonly (readonly [begins: RegExp, name: string, advice: string])[] = [
  [/^(fffe0000|0000feff)/, 'UTF-32 text', 'convert it: iconv -f UTF-32 -t UTF-8'],
  [/^(fffe|feff)/, 'UTF-16 text', 'convert it: iconv -f UTF-16 -t UTF-8'],
  [/^1f8b/, 'gzip data in gzip data', 'decompress it once: gunzip'],
  [/^1f9d/, 'compress data', 'decompress it first: uncompress'],
  [/^28b52ffd/, 'zstd data', 'decompress it first: zstd -d'],
  [/^425a683[1-9](314159265359|177245385090)/, 'bzip2 data', 'decompress it first: bunzip2'],
  [/^fd377a585a00/, 'xz data', 'decompress it first: unxz'],
  [/^4c5a495001/, 'lzip data', 'decompress it first: lzip -d'],
  [/^04224d18/, 'lz4 data', 'decompress it first: lz4 -d'],
  [/^ff060000734e61507059/, 'snappy data', 'decompress it first'],
  [/^377abcaf271c/, 'a 7z archive', 'unpack it first'],
  [/^526172211a07/, 'a RAR archive', 'unpack it first'],
  [/^504b0(304|506|708)/, 'a zip archive, or a spreadsheet', 'unpack it, or save it as CSV in UTF-8'],
  [/^d0cf11e0a1b11ae1/, 'an old spreadsheet', 'save it as CSV in UTF-8'],
  [/^5041523115/, 'a Parquet file', 'save it as CSV or JSON Lines'],
  [/^4f626a01/, 'an Avro file', 'save it as CSV or JSON Lines'],
  [/^53514c69746520666f726d6174203300/, 'an SQLite database', 'save its tables as CSV'],
]
const HEAD_BYTES = 1_024

function assertText(bytes: Buffer, path: string): void {
  const head = bytes.subarray(0, HEAD_BYTES)
  const start = head.toString('hex', 0, 16)
  for (const [begins, name, advice] of FORMATS)
    if (begins.test(start)) throw refused(path, `is ${name}; ${advice}`)
  let nuls = 0
  for (const byte of head) if (byte === 0) nuls++
  // In most UTF-16 text every other byte is NUL. A few of them make bad rows, not a bad file.
  if (nuls * 4 >= head.length && nuls > 0) {
    const advice = 'if it is UTF-16 without a byte order mark, convert it: iconv -f UTF-16LE -t UTF-8'
    throw refused(path, `is full of NUL bytes; ${advice}`)
  }
}

const withoutMark = (bytes: Buffer): Buffer =>
  bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes

/** Throws `import_invalid` unless the file can be opened; called before anything is written. */
export async function assertReadable(path: string): Promise<void> {
  await (await openFile(path)).close()
}

/** Checks the kind of file before it is opened, because opening a pipe without a writer would wait for ever. */
async function openFile(path: string): Promise<FileHandle> {
  try {
    const found = await stat(path)
    if (found.isDirectory()) throw refused(path, 'is a folder, not a file')
    if (!found.isFile())
      throw refused(path, 'is not a regular file, and cannot be read twice; save its content to a file first')
    return await open(path)
  } catch (error) {
    throw readError(path, error)
  }
}

function readError(path: string, error: unknown): unknown {
  if (!(error instanceof Error && 'syscall' in error)) return error
  const next = 'check its name and its access rights'
  return new RivuletError('import_invalid', `${path} cannot be read (${error.message}); ${next}`, {
    cause: error,
  })
}

const refused = (path: string, what: string, cause?: unknown): RivuletError =>
  new RivuletError('import_invalid', `${path} ${what}`, { cause })
