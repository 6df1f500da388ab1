/**
 * An import from its beginning to its end: people, then follows, then posts. All of it is read and checked before
 * anything is written, so that a file that turns out to be none leaves nothing behind.
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
  /** Tells imports apart when one is found unfinished. */
  readonly name: string
  /** People with names of their own. */
  people?(names: Names, problems: Problems): Promise<void>
  readonly edges?: EdgeSource
  readonly posts?: PostSource
}

export interface ImportUi {
  readonly progress: Progress
  /** One line of text: a bad row, a header that was skipped. */
  readonly notice: (text: string) => void
  readonly onFatal: (error: unknown) => void
  /** The first row that would be left out ends the import, before anything is written. */
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

/** Throws `import_invalid` for a file that cannot be read as what it should be, or of which nothing can be taken. */
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
    // What is wrong with them has been said.
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

/** Follows stay in memory, in numbers; of posts nothing does, they are read once more. Nothing is written. */
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
