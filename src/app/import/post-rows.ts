/** Reads posts from a file: JSON Lines, with one object per line, or one JSON array of objects. */

import { basename } from 'node:path'
import { isRivuletError } from '../../core/errors.ts'
import { parseJsonText } from '../../core/json.ts'
import { readWindows } from './bytes.ts'
import { createArrayReader, isJsonBlank, OPEN_BRACKET, type ElementSink } from './json-array.ts'
import { readLines } from './lines.ts'
import { checkPost, faultOf, type PostInput } from './post-input.ts'
import { nothingTaken, type Problems } from './problems.ts'

export interface PostReading {
  readonly problems: Problems
  /** The latest time that a post may have. */
  readonly nowMs: number
  readonly progress: (bytesRead: number, bytesTotal: number) => void
}

/** Throws `import_invalid` for a file that cannot be read, or has no valid post. */
export async function* readPostFile(path: string, reading: PostReading): AsyncGenerator<PostInput[]> {
  const file = basename(path)
  let posts: PostInput[] = []
  let taken = 0
  const sink = sinkOf(file, reading, (post) => posts.push(post))
  const read = (await isArray(path)) ? readArray : readJsonLines
  for await (const { bytesRead, bytesTotal } of read(path, sink, reading.problems)) {
    reading.progress(bytesRead, bytesTotal)
    taken += posts.length
    yield posts
    posts = []
  }
  if (taken === 0)
    throw nothingTaken(file, 'post (one JSON object per line, or one array of objects)', reading.problems)
}

async function isArray(path: string): Promise<boolean> {
  for await (const { bytes } of readWindows(path)) {
    const first = bytes.find((byte) => !isJsonBlank(byte))
    if (first !== undefined) return first === OPEN_BRACKET
  }
  return false
}

interface BytesRead {
  readonly bytesRead: number
  readonly bytesTotal: number
}

async function* readArray(path: string, sink: ElementSink): AsyncGenerator<BytesRead> {
  const elements = createArrayReader(basename(path), sink)
  for await (const { bytes, ...read } of readWindows(path)) {
    elements.take(bytes)
    yield read
  }
  elements.end()
}

async function* readJsonLines(
  path: string,
  sink: ElementSink,
  problems: Problems,
): AsyncGenerator<BytesRead> {
  for await (const { file, first, lines, faults, ...read } of readLines(path)) {
    for (const [i, text] of lines.entries()) {
      const fault = faults.get(i)
      if (fault !== undefined) sink.fault(first + i, fault)
      else if (text.trim() === '') problems.note({ file, line: first + i }, 'blank line')
      else sink.element(text, first + i)
    }
    yield read
  }
}

function sinkOf(
  file: string,
  { problems, nowMs }: PostReading,
  addPost: (post: PostInput) => void,
): ElementSink {
  return {
    element(text, line) {
      const place = { file, line }
      try {
        const post = checkPost(parseJsonText(text), place, nowMs)
        if (typeof post === 'string') problems.add(place, 'not a post', post)
        else addPost(post)
      } catch (error) {
        if (isRivuletError(error, 'invalid_request')) problems.add(place, 'not a post', faultOf(error))
        else if (error instanceof SyntaxError) problems.add(place, 'not JSON')
        else throw error
      }
    },
    fault: (line, what) => problems.add({ file, line }, what),
  }
}
