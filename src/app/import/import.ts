/** An import from its beginning to its end: people, then follows, then posts. */

import type { RivuletPorts } from '../rivulet.ts'
import { createAccountBook, type AccountBook } from './account-book.ts'
import { markActive } from './active.ts'
import { importEdges, type EdgeCounts, type EdgeSource } from './edges.ts'
import { importPosts, type PostCounts, type PostSource } from './posts.ts'
import { createProblems, type Problems } from './problems.ts'
import type { Progress } from './progress.ts'
import { beginImport } from './run.ts'

export interface ImportSource {
  /** Tells imports apart when one is found unfinished. */
  readonly name: string
  /** Puts people with names of their own into the book. */
  people?(book: AccountBook, problems: Problems): Promise<void>
  readonly edges?: EdgeSource
  readonly posts?: PostSource
}

export interface ImportUi {
  readonly progress: Progress
  /** One line of text: a bad row, a header that was skipped. */
  readonly notice: (text: string) => void
  readonly onFatal: (error: unknown) => void
}

export interface ImportSummary {
  readonly accounts: AccountBook['counts']
  readonly edges: EdgeCounts
  readonly posts: PostCounts
  readonly problems: Problems
}

export async function runImport(
  ports: RivuletPorts,
  source: ImportSource,
  { progress, notice, onFatal }: ImportUi,
): Promise<ImportSummary> {
  const problems = createProblems(notice)
  const run = await beginImport(ports, source.name, onFatal)
  const book = createAccountBook(run)
  await source.people?.(book, problems)
  await book.settle(progress('people'))
  const edges =
    source.edges === undefined
      ? { added: 0, known: 0, unfollowed: 0 }
      : await importEdges(source.edges, { run, book, problems, notice, progress })
  const reading = { problems, nowMs: run.startedAtMs, progress: progress('posts', 'bytes') }
  const posts =
    source.posts === undefined ? { added: 0, known: 0 } : await importPosts(source.posts, reading, run, book)
  await markActive(run, book.numbers())
  await run.finish()
  return { accounts: book.counts, edges, posts, problems }
}
