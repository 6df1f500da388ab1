/** `rivulet import`: accounts, follows and posts from files into a data folder that nobody else uses. */

import { Command, Option } from 'commander'
import { csvSource } from '../app/import/csv.ts'
import type { Header } from '../app/import/edge-rows.ts'
import { runImport, type ImportSource, type ImportSummary } from '../app/import/import.ts'
import { ldbcSource } from '../app/import/ldbc.ts'
import type { SettingKey } from '../app/settings.ts'
import { RivuletError } from '../core/errors.ts'
import { createRealEnv, noteImport, openPorts } from '../app/ports.ts'
import { addSettings, assertOnePlace, configOf } from './setting-flags.ts'
import { count, createTerminal, seconds } from './terminal.ts'
import { endAtOnce } from './fatal.ts'

const SETTINGS: readonly SettingKey[] = ['data', 'config']

const HELP = `
An edge list has two external ids a row, "follower,followee". Posts are JSON Lines:
  {"author": "ada", "content": "Hello", "created_at": "2024-05-01T12:00:00Z"}
with content or custom (any JSON), and optionally visibility and id (where the post comes from).
An account that is not there yet is made. What was imported before is not imported twice, so an import that
was interrupted is simply run again. A pair that was unfollowed or blocked here stays so.`

interface ImportFlags extends Partial<Record<SettingKey, string>> {
  readonly edges?: string
  readonly posts?: string
  readonly dir?: string
  readonly mutual?: true
  readonly header?: boolean
  readonly format: 'csv' | 'ldbc'
}

export const importCommand = (): Command =>
  addSettings(
    new Command('import')
      .description('take accounts, follows and posts from files (not while the data is being served)')
      .option('--edges <file>', 'CSV file of follows')
      .option('--mutual', 'each row of the edge list is two follows, one in each direction')
      .option('--header', 'the first row of the edge list names its columns (default: what it looks like)')
      .option('--no-header', 'the first row of the edge list is an edge')
      .option('--posts <file>', 'JSON Lines file of posts')
      .addOption(
        new Option('--format <format>', 'csv, or ldbc: the LDBC Social Network Benchmark')
          .choices(['csv', 'ldbc'])
          .default('csv'),
      )
      .option('--dir <folder>', 'folder with the files of --format ldbc')
      .addHelpText('after', HELP),
    SETTINGS,
  ).action(importFiles)

async function importFiles(flags: ImportFlags): Promise<void> {
  const env = createRealEnv()
  const { config } = configOf(flags, SETTINGS)
  assertOnePlace(flags, config)
  const source = await sourceOf(flags)
  const startedAtMs = env.monotonicMs()
  const terminal = createTerminal(env)
  const { note: notice, progress } = terminal
  const ports = await openPorts({ env, config, onFatal: endAtOnce, onNotice: notice })
  try {
    notice(`into ${ports.place}`)
    const summary = await runImport(ports, source, { progress, notice, onFatal: endAtOnce })
    await noteImport(ports)
    terminal.endProgress()
    terminal.print(summaryText(summary, env.monotonicMs() - startedAtMs))
  } finally {
    terminal.endProgress()
    await ports.close()
  }
}

function sourceOf(flags: ImportFlags): Promise<ImportSource> {
  const { format, dir, edges, posts } = flags
  if (format === 'ldbc') {
    if (edges !== undefined || posts !== undefined)
      throw usage('--format ldbc takes --dir, not --edges or --posts')
    if (dir === undefined) throw usage('--format ldbc needs --dir, the folder with its files')
    return ldbcSource(dir)
  }
  if (dir !== undefined) throw usage('--dir is for --format ldbc; name files with --edges and --posts')
  if (edges === undefined && posts === undefined)
    throw usage('nothing to import; name a file with --edges or --posts')
  return csvSource({ edges, posts, mutual: flags.mutual === true, header: headerOf(flags.header) })
}

const headerOf = (flag: boolean | undefined): Header => (flag === undefined ? 'auto' : flag ? 'yes' : 'no')

const usage = (message: string): RivuletError => new RivuletError('config_invalid', message)

function summaryText({ accounts, edges, posts, problems }: ImportSummary, tookMs: number): string {
  const follows = edges.added + edges.known
  const lines = [
    `accounts   ${count(accounts.created)} new, ${count(accounts.known)} known`,
    `follows    ${count(edges.added)} new, ${count(edges.known)} known`,
    `posts      ${count(posts.added)} new, ${count(posts.known)} known`,
  ]
  if (edges.unfollowed > 0) {
    lines.push(
      `left out   ${count(edges.unfollowed)} follows that were ended here by unfollowing or blocking`,
    )
  }
  if (problems.total > 0) {
    const kinds = [...problems.byKind].map(([kind, times]) => `${count(times)} × ${kind}`)
    lines.push(`bad rows   ${count(problems.total)}: ${kinds.join(', ')}`)
  }
  const rate = follows > 0 ? `, ${count(Math.round((follows * 1_000) / tookMs))} follows/s` : ''
  return [...lines, `took       ${seconds(tookMs)}${rate}`].join('\n')
}
