/** Posts from a file of JSON Lines, one object a line. */

import { readLines } from './lines.ts'
import { checkPost, type PostInput } from './post-input.ts'
import type { Problems } from './problems.ts'

export interface PostReading {
  readonly problems: Problems
  /** No post is younger. */
  readonly nowMs: number
  readonly progress: (bytesRead: number, bytesTotal: number) => void
}

export async function* readPostLines(path: string, reading: PostReading): AsyncGenerator<PostInput[]> {
  const { problems, nowMs, progress } = reading
  for await (const { file, first, lines, bytesRead, bytesTotal } of readLines(path)) {
    const posts: PostInput[] = []
    for (const [i, line] of lines.entries()) {
      const place = { file, line: first + i }
      if (line.trim() === '') {
        problems.add(place, 'blank line')
        continue
      }
      const post = parse(line, (raw) => checkPost(raw, place, nowMs))
      if (post === undefined) problems.add(place, 'not JSON')
      else if (typeof post === 'string') problems.add(place, 'not a post', post)
      else posts.push(post)
    }
    progress(bytesRead, bytesTotal)
    yield posts
  }
}

function parse<T>(line: string, use: (raw: unknown) => T): T | undefined {
  let raw: unknown
  try {
    raw = JSON.parse(line)
  } catch {
    return undefined
  }
  return use(raw)
}
