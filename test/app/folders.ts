/** Data folders for tests: opens them, imports text into them, and describes their content in a readable form. */

import { readConfig } from '../../src/app/config/config.ts'
import type { Config } from '../../src/app/config/settings.ts'
import { mkdtempSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { openPorts } from '../../src/app/ports/open.ts'
import type { OpenPorts } from '../../src/app/ports/parts.ts'
import { csvSource, type CsvFiles } from '../../src/app/import/csv.ts'
import { readAll, runImport, type ImportSource } from '../../src/app/import/import.ts'
import { createNames } from '../../src/app/import/names.ts'
import { createProblems } from '../../src/app/import/problems.ts'
import { noProgress } from '../../src/app/import/progress.ts'
import { idTimeMs } from '../../src/core/ids.ts'
import { scanAll } from '../../src/engine/rows/scan.ts'
import { outboxTable, postsTable, postTotalsTable } from '../../src/feed/index.ts'
import { accountsTable } from '../../src/graph/index.ts'
import { createRivulet, type Rivulet } from '../../src/index.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'

export const env = createRealEnv()

export function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-app-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export const fail = (error: unknown): never => {
  throw error
}

/** Options for one small folder. */
export const configOf = (data: string): Config =>
  readConfig({ flags: { data, timelinesMib: '16', logRetentionHours: '1' } }).config

export const openFolder = (data: string): Promise<OpenPorts> =>
  openPorts({
    env,
    config: configOf(data),
    onFatal: fail,
    onNotice: () => undefined,
  })

/** Runs `task` on an engine over the folder. */
export async function withRivulet<T>(data: string, task: (rivulet: Rivulet, ports: OpenPorts) => Promise<T>) {
  const ports = await openFolder(data)
  try {
    const rivulet = createRivulet(ports, { secret: new Uint8Array(32), onFatal: fail })
    await rivulet.start()
    try {
      return await task(rivulet, ports)
    } finally {
      await rivulet.stop()
    }
  } finally {
    await ports.close()
  }
}

export interface Imported {
  readonly accounts: { created: number; known: number }
  readonly edges: { added: number; known: number; unfollowed: number }
  readonly posts: { added: number; known: number }
  /** Rows left out, by kind. */
  readonly bad: Record<string, number>
  /** Rows that add nothing, by kind. */
  readonly noted: Record<string, number>
  readonly notices: string[]
}

export async function importSource(
  data: string,
  source: ImportSource,
  options: { isStrict?: boolean } = {},
): Promise<Imported> {
  const ports = await openFolder(data)
  const notices: string[] = []
  try {
    const ui = {
      progress: noProgress,
      notice: (text: string) => void notices.push(text),
      onFatal: fail,
      ...options,
    }
    const { problems, ...summary } = await runImport(ports, source, ui)
    const [bad, noted] = [problems.byKind, problems.notedByKind].map((kinds) => Object.fromEntries(kinds))
    return { ...summary, bad, noted, notices }
  } finally {
    await ports.close()
  }
}

type Text = { edges?: string | Buffer; posts?: string | Buffer }

async function sourceOf(text: Text, options: Partial<CsvFiles>): Promise<ImportSource> {
  const folder = tempFolder()
  const files: { edges?: string; posts?: string } = {}
  for (const name of ['edges', 'posts'] as const) {
    const content = text[name]
    if (content === undefined) continue
    files[name] = join(folder, name === 'edges' ? 'edges.csv' : 'posts.jsonl')
    await writeFile(files[name], content)
  }
  return csvSource({ mutual: false, header: 'auto', ...files, ...options })
}

/** Imports texts as the content of files. */
export async function importText(
  data: string,
  text: Text,
  { isStrict = false, ...options }: Partial<CsvFiles> & { isStrict?: boolean } = {},
): Promise<Imported> {
  return importSource(data, await sourceOf(text, options), { isStrict })
}

export interface ReadText extends Pick<Imported, 'bad' | 'noted' | 'notices'> {
  /** `follower>followee` */
  readonly edges: string[]
  readonly posts: number
}

/** Reads texts as the content of files, as an import does before it writes anything. */
export async function readText(text: Text, options: Partial<CsvFiles> = {}): Promise<ReadText> {
  const notices: string[] = []
  const notice = (line: string) => void notices.push(line)
  const [problems, names] = [createProblems(notice), createNames()]
  const reading = { names, problems, notice, progress: noProgress, nowMs: env.wallMs() }
  const { rows, postsSeen: posts } = await readAll(await sourceOf(text, options), reading)
  const { from, to } = rows ?? { from: [], to: [] }
  const edges = Array.from(from, (one, row) => `${names.list[one]}>${names.list[to[row]]}`)
  const [bad, noted] = [problems.byKind, problems.notedByKind].map((kinds) => Object.fromEntries(kinds))
  return { edges, posts, bad, noted, notices }
}

/** Everything that an import creates, under names that do not depend on the time and the order of imports. */
export const describeWorld = (data: string) =>
  withRivulet(data, async (rivulet, { store }) => {
    const names = new Map<number, string>()
    for await (const account of scanAll(store, accountsTable)) {
      names.set(account.number, account.externalId ?? `#${account.number}`)
    }
    const nameOf = (number: number) => names.get(number) ?? `?${number}`
    const people: Record<string, object> = {}
    for (const [number, name] of names) {
      const { following } = await rivulet.graph.circles.of(number)
      const followers: number[] = []
      for (let after = 0, more = true; more; after = followers.at(-1) ?? 0) {
        const page = await rivulet.graph.reads.followers(number, after, 1_000)
        followers.push(...page.numbers)
        more = page.hasMore
      }
      people[name] = {
        follows: Array.from(following, nameOf).sort(),
        followers: followers.map(nameOf).sort(),
        followersCount: await rivulet.graph.reads.followersCount(number),
        posts: await rivulet.feed.reads.postsCount(number),
      }
    }
    const posts: string[] = []
    for await (const post of scanAll(store, postsTable)) {
      const { id, author, content, custom, visibility, deleted, clientRef } = post
      posts.push(
        JSON.stringify([nameOf(author), idTimeMs(id), content, custom, visibility, deleted, clientRef]),
      )
    }
    let outbox = 0
    for await (const { on } of scanAll(store, outboxTable)) outbox += on ? 1 : 0
    let total = 0
    for await (const row of scanAll(store, postTotalsTable)) total += row.posts
    return { people: sorted(people), posts: posts.sort(), outbox, total }
  })

const sorted = (record: Record<string, object>): Record<string, object> =>
  Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)))

export const numberOf = async (rivulet: Rivulet, externalId: string): Promise<number> =>
  (await rivulet.graph.reads.byExternalId(externalId))?.number ?? fail(new Error(`no ${externalId}`))
