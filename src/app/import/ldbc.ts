/**
 * The CSV files of the LDBC Social Network Benchmark: people, whom they know, and their posts. Fields are
 * separated by `|`, the first line names them. Comments, likes, forums and update streams are not taken.
 */

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { RivuletError } from '../../core/errors.ts'
import type { AccountBook } from './account-book.ts'
import { readEdgeRows } from './edge-rows.ts'
import type { ImportSource } from './import.ts'
import { readLines } from './lines.ts'
import { externalIdProblem } from './names.ts'
import { checkPost, type PostInput } from './post-input.ts'
import type { PostReading } from './post-lines.ts'
import type { Place, Problems } from './problems.ts'

const SEPARATOR = '|'
const PEOPLE = /^person_\d+_\d+\.csv$/
const KNOWS = /^person_knows_person_\d+_\d+\.csv$/
const POSTS = /^post_\d+_\d+\.csv$/

export async function ldbcSource(dir: string): Promise<ImportSource> {
  const files = await listFiles(dir)
  const matching = (pattern: RegExp) => files.filter(({ name }) => pattern.test(name)).map(({ path }) => path)
  const [people, knows, posts] = [matching(PEOPLE), matching(KNOWS), matching(POSTS)]
  if (people.length + knows.length + posts.length === 0) {
    const message = `${dir} holds no files of the LDBC benchmark (person_0_0.csv, …), nor does its folder dynamic`
    throw new RivuletError('import_invalid', message)
  }
  const format = { separator: SEPARATOR, header: 'yes', moreColumns: true } as const
  return {
    name: `ldbc:${dir}`,
    people: (book, problems) => readPeople(people, book, problems),
    edges: { mutual: true, read: (reading) => readEdgeRows(knows, format, reading) },
    posts: { read: (reading) => readPosts(posts, reading) },
  }
}

async function listFiles(dir: string): Promise<{ name: string; path: string }[]> {
  const list = async (folder: string) =>
    (await readdir(folder)).sort().map((name) => ({ name, path: join(folder, name) }))
  try {
    const files = await list(dir)
    return files.some(({ name }) => name === 'dynamic') ? await list(join(dir, 'dynamic')) : files
  } catch (error) {
    const message = `${dir} cannot be read (${(error as Error).message}); --dir takes the folder with the benchmark's CSV files`
    throw new RivuletError('import_invalid', message, { cause: error })
  }
}

/** One row as a record, by the names in its file's first line. */
interface Record {
  readonly place: Place
  readonly fields: ReadonlyMap<string, string>
}

async function* readRecords(
  paths: readonly string[],
  problems: Problems,
  progress?: (bytesRead: number, bytesTotal: number) => void,
): AsyncGenerator<Record[]> {
  for (const path of paths) {
    let header: string[] = []
    for await (const { file, first, lines, bytesRead, bytesTotal } of readLines(path)) {
      if (first === 1) header = lines[0].split(SEPARATOR)
      const records: Record[] = []
      for (let i = first === 1 ? 1 : 0; i < lines.length; i++) {
        const place = { file, line: first + i }
        const columns = lines[i].split(SEPARATOR)
        if (lines[i].trim() === '') problems.add(place, 'blank line')
        else if (columns.length !== header.length) {
          problems.add(place, 'wrong number of columns', `${columns.length} instead of ${header.length}`)
        } else records.push({ place, fields: new Map(header.map((name, at) => [name, columns[at]])) })
      }
      progress?.(bytesRead, bytesTotal)
      yield records
    }
  }
}

async function readPeople(paths: readonly string[], { names, call }: AccountBook, problems: Problems) {
  for await (const records of readRecords(paths, problems)) {
    for (const { place, fields } of records) {
      const id = fields.get('id') ?? ''
      const problem = externalIdProblem(id)
      if (problem !== undefined) problems.add(place, 'not an external id', problem)
      else if (names.find(id) !== undefined) problems.add(place, 'duplicate')
      else call(names.add(id), `${fields.get('firstName') ?? ''} ${fields.get('lastName') ?? ''}`.trim())
    }
  }
}

async function* readPosts(paths: readonly string[], reading: PostReading): AsyncGenerator<PostInput[]> {
  const { problems, nowMs, progress } = reading
  for await (const records of readRecords(paths, problems, progress)) {
    const posts: PostInput[] = []
    for (const { place, fields } of records) {
      const [content, image] = [fields.get('content') ?? '', fields.get('imageFile') ?? '']
      const raw = {
        id: fields.get('id'),
        author: fields.get('creator'),
        created_at: fields.get('creationDate'),
        ...(content === '' ? {} : { content }),
        ...(image === '' ? {} : { custom: { image } }),
      }
      const post = checkPost(raw, place, nowMs)
      if (typeof post === 'string') problems.add(place, 'not a post', post)
      else posts.push(post)
    }
    yield posts
  }
}
