/**
 * Runs an import: people, then follows, then posts. Everything is read and checked before anything is written, so that
 * an invalid file leaves nothing behind.
 */

import { RivuletError } from '../../core/errors.ts'
import type { RivuletPorts } from '../rivulet.ts'
import { createAccountBook, type AccountBook } from './account-book.ts'
import { markActive } from './active.ts'
import type { EdgeRows } from './edge-rows.ts'
import { importEdges, type EdgeCounts, type EdgeSource } from './edges.ts'
import { createNames, type Names } from './names.ts'
import { importPosts, type PostCounts, type PostSource } from './posts.ts'
import { createProblems, type Problems } from './problems.ts'
import type { Progress } from './progress.ts'
import { beginImport } from './run.ts'

export interface ImportSource {
  /** Names the import in the notice that it was interrupted. */
  readonly name: string
  /** Reads people with display names. */
  people?(names: Names, problems: Problems): Promise<void>
  readonly edges?: EdgeSource
  readonly posts?: PostSource
}

export interface ImportUi {
  readonly progress: Progress
  /** Called with a line of text, such as about a row that is left out or a header. */
  readonly notice: (text: string) => void
  readonly onFatal: (error: unknown) => void
  /** The first invalid row ends the import, before anything is written. */
  readonly isStrict?: boolean | undefined
}

export interface ImportSummary {
  readonly accounts: AccountBook['counts']
  readonly edges: EdgeCounts
  readonly posts: PostCounts
  readonly problems: Problems
}

const NO_EDGES: EdgeCounts = { added: 0, known: 0, unfollowed: 0 }
const NO_POSTS: PostCounts = { added: 0, known: 0, conflicting: 0 }

/** Throws `import_invalid` for a file in the wrong format, or without a valid row. */
export async function runImport(
  ports: RivuletPorts,
  source: ImportSource,
  { progress, notice, onFatal, isStrict }: ImportUi,
): Promise<ImportSummary> {
  const problems = createProblems(notice, { isStrict })
  const names = createNames()
  const nowMs = ports.env.wallMs()
  const { rows, postsSeen } = await readAll(source, { names, problems, notice, progress, nowMs })
  const run = await beginImport(ports, source.name, onFatal)
  const book = createAccountBook(run, names)
  await book.settle(progress('accounts'))
  let [edges, posts] = [NO_EDGES, NO_POSTS]
  if (source.edges !== undefined && rows !== undefined) {
    const { mutual } = source.edges
    edges = await importEdges(rows, { run, book, mutual, problems, progress })
  }
  if (source.posts !== undefined) {
    // Their faults were reported by the first reading.
    const reading = { problems: createProblems(() => undefined), nowMs, progress: progress('posts', 'bytes') }
    posts = await importPosts(source.posts, reading, run, book, problems)
    if (posts.added + posts.known + posts.conflicting !== postsSeen) throw changed(source.name)
  }
  await markActive(run, book.numbers())
  await run.finish()
  return { accounts: book.counts, edges, posts, problems }
}

export interface Reading {
  readonly names: Names
  readonly problems: Problems
  readonly notice: (text: string) => void
  readonly progress: Progress
  readonly nowMs: number
}

/** Reads and checks everything, and writes nothing. Follows stay in memory; posts do not, and are read again later. */
export async function readAll(
  source: ImportSource,
  { names, problems, notice, progress, nowMs }: Reading,
): Promise<{ rows: EdgeRows | undefined; postsSeen: number }> {
  await source.people?.(names, problems)
  const rows = await source.edges?.read({
    names,
    problems,
    notice,
    progress: progress('reading edges', 'bytes'),
  })
  let postsSeen = 0
  const reading = { problems, nowMs, progress: progress('checking posts', 'bytes') }
  for await (const posts of source.posts?.read(reading) ?? []) postsSeen += posts.length
  if (names.list.length + postsSeen === 0)
    throw new RivuletError('import_invalid', `there is nothing in ${source.name} to import`)
  return { rows, postsSeen }
}

const changed = (name: string): RivuletError =>
  new RivuletError('import_invalid', `${name} was changed while it was read; run the import again`)
