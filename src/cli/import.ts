/** `rivulet import`: reads accounts, follows and posts from files into a data folder that is not being served, or into a running server. */

import { Command, InvalidArgumentError, Option } from 'commander'
import { csvSource } from '../app/import/csv.ts'
import { delimiterOf, type EdgeColumns, type EdgeFormat, type Header } from '../app/import/edge-layout.ts'
import { runImport, type ImportSource, type ImportSummary } from '../app/import/import.ts'
import { importOnline, type OnlineSummary } from '../app/import/online.ts'
import type { Problems } from '../app/import/problems.ts'
import { ldbcSource } from '../app/import/ldbc.ts'
import type { Config, SettingKey } from '../app/config/settings.ts'
import { RivuletError } from '../core/errors.ts'
import type { Env } from '../ports/env/env.ts'
import { keepProcess } from '../ports/env/keep.ts'
import { createRealEnv, noteImport, openPorts } from '../app/ports/open.ts'
import { EXIT } from './failure.ts'
import { addSettings, assertOnePlace, configOf } from './setting-flags.ts'
import { count, createTerminal, seconds } from './terminal.ts'
import { endAtOnce } from './fatal.ts'

const SETTINGS: readonly SettingKey[] = ['data', 'config']

const HELP = `
An edge list is CSV (RFC 4180) with two external ids per row, follower first. The separator is detected: comma,
semicolon, tab or |. A first row of well-known names (follower,followee; source,target; from_user,to_user;
user_id,friend_id; id_1,id_2; …) is taken as a header that names the columns. If the first row may be a header or an
edge, the file is refused: use --header, --no-header or --columns.

Posts are JSON Lines, or one JSON array, of:
  {"author": "ada", "content": "Hello", "created_at": "2024-05-01T12:00:00Z"}
with content or custom (any JSON), and optionally visibility and id (the post's id where it comes from). created_at
is RFC 3339 with a time zone, or whole milliseconds since 1970, between 2004 and now; it is kept to 10 ms.

Files are UTF-8, and may be gzipped. They are read to their ends before anything is written: a file in the wrong
format, or without a single valid row, changes nothing. An invalid row is left out, and reported with its file, line
and reason (the first 20 of them); the import then ends with exit code 3.

With --url, the same files go to a running server, in batches. Posts are then made now and fanned out, in the order of
the file; their created_at is checked and not kept. If that import ends early, run it again within 24 hours: the server
does not do again what it has done.

Accounts that do not exist are created. Nothing is imported twice: if an import was interrupted, run it again. A
follow that was ended here by unfollowing or blocking is not made again.`

interface ImportFlags extends Partial<Record<SettingKey, string>> {
  readonly edges?: string
  readonly posts?: string
  readonly dir?: string
  readonly mutual?: true
  readonly header?: boolean
  readonly columns?: string
  readonly delimiter?: string
  readonly comment?: string
  readonly strict?: true
  readonly format: 'csv' | 'ldbc'
  readonly url?: string
  readonly key?: string
}

/** Refuses a flag that is given twice: the first value would be ignored silently. */
function once(value: string, before: string | undefined): string {
  if (before === undefined) return value
  throw new InvalidArgumentError('it is given twice; run one import after the other')
}

export const importCommand = (): Command =>
  addSettings(
    new Command('import')
      .description(
        'import accounts, follows and posts from files into a data folder that is not being served, or into a running server',
      )
      .option('--edges <file>', 'CSV file of follows', once)
      .option('--mutual', 'each row of the edge list is two follows, one in each direction')
      .option('--header', 'the first row of the edge list names its columns (default: detected)')
      .option('--no-header', 'the first row of the edge list is an edge')
      .option(
        '--columns <names>',
        'the two columns to read, by their names in the header: follower=NAME,followee=NAME; with --no-header, by their numbers from 1',
        once,
      )
      .option(
        '--delimiter <character>',
        'separator of columns: one character, or comma, semicolon, tab, pipe, space (default: detected)',
        once,
      )
      .option('--comment <text>', 'skip lines of the edge list that begin with this text, such as #', once)
      .option('--posts <file>', 'JSON Lines file, or JSON array, of posts', once)
      .option(
        '--strict',
        'end with exit code 1 at the first row that would be left out, with nothing written',
      )
      .addOption(
        new Option('--format <format>', 'csv, or ldbc: the LDBC Social Network Benchmark')
          .choices(['csv', 'ldbc'])
          .default('csv'),
      )
      .option('--dir <folder>', 'folder with the files of --format ldbc', once)
      .option('--url <address>', 'import into the running server at this address instead of a folder', once)
      .option('--key <key>', 'server key of that server (RIVULET_SERVER_KEY)', once)
      .addHelpText('after', HELP),
    SETTINGS,
  ).action(importFiles)

async function importFiles(flags: ImportFlags): Promise<void> {
  const env = createRealEnv()
  const { config } = configOf(flags, SETTINGS)
  if (flags.url !== undefined) return importIntoServer(env, flags, config)
  if (flags.key !== undefined) throw usage('--key is for --url, the address of a running server')
  assertOnePlace(flags, config)
  const source = await sourceOf(flags)
  const startedAtMs = env.monotonicMs()
  const terminal = createTerminal(env)
  const { note: notice, progress } = terminal
  const ports = await openPorts({ env, config, onFatal: endAtOnce, onNotice: notice })
  try {
    notice(`importing into ${ports.place}`)
    const ui = { progress, notice, onFatal: endAtOnce, isStrict: flags.strict }
    const summary = await runImport(ports, source, ui)
    await noteImport(ports)
    terminal.endProgress()
    terminal.print(summaryText(summary, env.monotonicMs() - startedAtMs))
    if (summary.problems.total > 0) process.exitCode = EXIT.leftOut
  } finally {
    terminal.endProgress()
    await ports.close()
  }
}

/** Posts are made now: the time that they have in the file is checked, and not kept. */
async function importIntoServer(env: Env, flags: ImportFlags, config: Config): Promise<void> {
  const { url = '', data, key, strict: isStrict } = flags
  if (data !== undefined) throw usage('--url and --data both say where to import to; leave out one of them')
  if (!/^https?:\/\/[^/?#@]+\/?$/.test(url))
    throw usage(`--url has "${url}"; allowed is the address of a server, such as http://127.0.0.1:8080`)
  const serverKey = key ?? config.serverKey
  if (serverKey === undefined)
    throw usage('--url needs the server key; give it with --key or RIVULET_SERVER_KEY')
  const source = await sourceOf(flags)
  const startedAtMs = env.monotonicMs()
  const terminal = createTerminal(env)
  const { note: notice, progress } = terminal
  const kept = keepProcess()
  try {
    notice(`importing into ${url}`)
    const summary = await importOnline(source, { env, url, serverKey, progress, notice, isStrict })
    terminal.endProgress()
    terminal.print(onlineText(summary, env.monotonicMs() - startedAtMs))
    if (summary.problems.total > 0) process.exitCode = EXIT.leftOut
  } finally {
    terminal.endProgress()
    kept.release()
  }
}

function sourceOf(flags: ImportFlags): Promise<ImportSource> {
  const { format, dir, edges, posts } = flags
  if (format === 'ldbc') {
    if (edges !== undefined || posts !== undefined)
      throw usage('--format ldbc takes --dir, not --edges or --posts')
    if (dir === undefined) throw usage('--format ldbc needs --dir, the folder with its files')
    assertNoEdgeFlags(flags)
    return ldbcSource(dir)
  }
  if (dir !== undefined) throw usage('--dir is for --format ldbc; name files with --edges and --posts')
  if (edges === undefined && posts === undefined)
    throw usage('nothing to import; name a file with --edges or --posts')
  if (edges === undefined) assertNoEdgeFlags(flags)
  return csvSource({ edges, posts, mutual: flags.mutual === true, ...formatOf(flags) })
}

/** Refuses flags for edge lists where no edge list is given: they would do nothing. */
function assertNoEdgeFlags(flags: ImportFlags): void {
  for (const name of ['mutual', 'header', 'columns', 'delimiter', 'comment'] as const)
    if (flags[name] !== undefined)
      throw usage(`--${name} is for an edge list: name one with --edges, or leave it out`)
}

function formatOf({ header, columns, delimiter, comment }: ImportFlags): EdgeFormat {
  if (comment === '') throw usage('--comment must not be empty')
  return {
    header: headerOf(header),
    columns: columns === undefined ? undefined : columnsOf(columns),
    delimiter: delimiter === undefined ? undefined : readDelimiter(delimiter),
    comment,
  }
}

const headerOf = (flag: boolean | undefined): Header => (flag === undefined ? 'auto' : flag ? 'yes' : 'no')

function columnsOf(text: string): EdgeColumns {
  const parts =
    /^follower=(?<follower>.+?),followee=(?<followee>.+)$/.exec(text) ??
    /^followee=(?<followee>.+?),follower=(?<follower>.+)$/.exec(text)
  const { follower, followee } = parts?.groups ?? {}
  if (follower === undefined || followee === undefined || follower === followee)
    throw usage(`--columns has "${text}"; allowed is follower=NAME,followee=NAME with two different names`)
  return { follower, followee }
}

function readDelimiter(text: string): string {
  const delimiter = delimiterOf(text)
  if (delimiter !== undefined) return delimiter
  const allowed =
    'comma, semicolon, tab, pipe, space, or one character that is not a letter, a digit or a quote'
  throw usage(`--delimiter has "${text}"; allowed is ${allowed}`)
}

const usage = (message: string): RivuletError => new RivuletError('config_invalid', message)

function onlineText({ accounts, follows, posts, problems }: OnlineSummary, tookMs: number): string {
  const lines = [
    `accounts   ${count(accounts)} there`,
    `follows    ${count(follows)} there`,
    `posts      ${count(posts)} there`,
    ...problemLines(problems),
  ]
  const items = accounts + follows + posts
  return [
    ...lines,
    `took       ${seconds(tookMs)}, ${count(Math.round((items * 1_000) / tookMs))} items/s`,
  ].join('\n')
}

function problemLines(problems: Problems): string[] {
  const lines = [
    `left out   ${count(problems.total)} ${problems.total === 1 ? 'row' : 'rows'}${kindsText(': ', problems.byKind)}`,
  ]
  if (problems.notedByKind.size > 0) lines.push(`no matter  ${kindsText('', problems.notedByKind)}`)
  return lines
}

function summaryText({ accounts, edges, posts, problems }: ImportSummary, tookMs: number): string {
  const follows = edges.added + edges.known
  const lines = [
    `accounts   ${count(accounts.created)} new, ${count(accounts.known)} known`,
    `follows    ${count(edges.added)} new, ${count(edges.known)} known`,
    `posts      ${count(posts.added)} new, ${count(posts.known)} known`,
    ...problemLines(problems),
  ]
  if (edges.unfollowed > 0) {
    const why = 'follows were ended here by unfollowing or blocking, and'
    lines.push(`ended      ${count(edges.unfollowed)} ${why} stay so`)
  }
  const rate = follows > 0 ? `, ${count(Math.round((follows * 1_000) / tookMs))} follows/s` : ''
  return [...lines, `took       ${seconds(tookMs)}${rate}`].join('\n')
}

function kindsText(before: string, byKind: ReadonlyMap<string, number>): string {
  if (byKind.size === 0) return ''
  return before + [...byKind].map(([kind, times]) => `${count(times)} × ${kind}`).join(', ')
}
