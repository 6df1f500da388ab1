/**
 * Reads the CSV files of the LDBC Social Network Benchmark: people, whom they know, and their posts. Fields are
 * separated by `|` and named in the first line. Comments, likes, forums and update streams are not imported.
 */

import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { RivuletError } from '../../core/errors.ts'
import { displayNameFault, externalIdFault } from '../../graph/index.ts'
import type { Layout } from './edge-layout.ts'
import { readEdgeRows } from './edge-rows.ts'
import type { ImportSource } from './import.ts'
import { readLines, type LineBatch } from './lines.ts'
import type { Names } from './names.ts'
import { checkPost, type PostInput } from './post-input.ts'
import type { PostReading } from './post-rows.ts'
import { nothingTaken, type Place, type Problems } from './problems.ts'

const SEPARATOR = '|'
const PEOPLE = /^person_\d+_\d+\.csv(?:\.gz)?$/
const KNOWS = /^person_knows_person_\d+_\d+\.csv(?:\.gz)?$/
const POSTS = /^post_\d+_\d+\.csv(?:\.gz)?$/

export async function ldbcSource(dir: string): Promise<ImportSource> {
  const files = await listFiles(dir)
  const matching = (pattern: RegExp) => files.filter(({ name }) => pattern.test(name)).map(({ path }) => path)
  const [people, knows, posts] = [matching(PEOPLE), matching(KNOWS), matching(POSTS)]
  if (people.length + knows.length + posts.length === 0) {
    const message = `neither ${dir} nor its folder dynamic holds files of the LDBC benchmark (person_0_0.csv, …); name their folder with --dir`
    throw new RivuletError('import_invalid', message)
  }
  return {
    name: `ldbc:${dir}`,
    people: (names, problems) => readPeople(people, names, problems),
    edges: {
      mutual: true,
      read: (reading) => readEdgeRows({ paths: knows, layoutOf, mayBeEmpty: true }, reading),
    },
    posts: { read: (reading) => readPosts(posts, reading) },
  }
}

/** The first two columns are the two people, under the same name; the other columns are ignored. */
function layoutOf({ file, lines }: LineBatch): Layout {
  const cells = lines[0].split(SEPARATOR)
  if (cells.length < 2) {
    const message = `${file}:1: the header has no two columns separated by ${SEPARATOR}`
    throw new RivuletError('import_invalid', message)
  }
  const header = { cells, line: 1 }
  return { delimiter: SEPARATOR, width: cells.length, follower: 0, followee: 1, header }
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

/** The fields of one row, by their names in the first line. */
type Fields = ReadonlyMap<string, string>

/** Reads rows and converts each with `take`, which reports the rows it leaves out. A file without rows is allowed. */
async function* readRecords<T>(
  paths: readonly string[],
  { problems, progress }: Pick<PostReading, 'problems'> & Partial<PostReading>,
  take: (fields: Fields, place: Place) => T | undefined,
): AsyncGenerator<T[]> {
  for (const path of paths) {
    let header: string[] = []
    let taken = 0
    for await (const { file, first, lines, faults, bytesRead, bytesTotal } of readLines(path)) {
      if (first === 1) header = lines[0].split(SEPARATOR)
      const records: T[] = []
      for (let i = first === 1 ? 1 : 0; i < lines.length; i++) {
        const place = { file, line: first + i }
        const [columns, fault] = [lines[i].split(SEPARATOR), faults.get(i)]
        if (fault !== undefined) problems.add(place, fault)
        else if (lines[i].trim() === '') problems.note(place, 'blank line')
        else if (columns.length !== header.length) {
          problems.add(place, 'wrong number of columns', `${columns.length} instead of ${header.length}`)
        } else {
          const record = take(new Map(header.map((name, at) => [name, columns[at]])), place)
          if (record !== undefined) records.push(record)
        }
      }
      progress?.(bytesRead, bytesTotal)
      taken += records.length
      yield records
    }
    const file = basename(path)
    if (taken === 0 && problems.firstOf(file) !== undefined) throw nothingTaken(file, 'row', problems)
  }
}

async function readPeople(paths: readonly string[], names: Names, problems: Problems): Promise<void> {
  const take = (fields: Fields, place: Place): true | undefined => {
    const id = fields.get('id') ?? ''
    const displayName = `${fields.get('firstName') ?? ''} ${fields.get('lastName') ?? ''}`.trim()
    const [badId, badName] = [externalIdFault(id), displayNameFault(displayName)]
    if (badId !== undefined) problems.add(place, 'not an external id', badId)
    else if (badName !== undefined) problems.add(place, 'not a display name', badName)
    else if (names.find(id) !== undefined) problems.add(place, 'the same person once more')
    else {
      names.displayNames.set(names.add(id), displayName)
      return true
    }
    return undefined
  }
  const people = readRecords(paths, { problems }, take)
  while ((await people.next()).done !== true);
}

function readPosts(paths: readonly string[], reading: PostReading): AsyncGenerator<PostInput[]> {
  const { problems, nowMs } = reading
  return readRecords(paths, reading, (fields, place) => {
    const [content, image] = [fields.get('content') ?? '', fields.get('imageFile') ?? '']
    const raw = {
      id: fields.get('id'),
      author: fields.get('creator'),
      // The benchmark writes +0000 where RFC 3339 has +00:00.
      created_at: fields.get('creationDate')?.replace(/([+-][0-9]{2})([0-9]{2})$/, '$1:$2'),
      ...(content === '' ? {} : { content }),
      ...(image === '' ? {} : { custom: { image } }),
    }
    const post = checkPost(raw, place, nowMs)
    if (typeof post !== 'string') return post
    problems.add(place, 'not a post', post)
    return undefined
  })
}
