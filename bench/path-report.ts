/** The tables of the bench `engines-path`: rates and times, the CPU time of each process, and the bytes stored. */

import { cpus } from 'node:os'
import { LOAD_GENERATOR, type CpuUse } from './cpu.ts'
import { format, type Report } from './harness.ts'
import type { Path, PathFigures } from './path-phases.ts'
import type { PathGraph } from './path-world.ts'
import { grownBytes, totalBytes, type TableBytes } from './stored-bytes.ts'

export interface Measured {
  readonly path: Path
  readonly figures: PathFigures
}

export function printPaths(report: Report, measured: readonly Measured[]): void {
  report.table([
    ['', 'posts/s', 'p50, p99 ms', 'inserts/s by worker', 'reads/s', 'p50, p99 ms'],
    ...measured.map(({ path, figures: { posts, reads } }) => [
      path.name,
      format(posts.perS),
      `${ms(posts.p50Ms)}, ${ms(posts.p99Ms)}`,
      `${posts.insertsPerS.map(format).join(' + ')} (last one ${posts.drainS.toFixed(1)} s later)`,
      format(reads.perS),
      `${ms(reads.p50Ms)}, ${ms(reads.p99Ms)}`,
    ]),
  ])
  report.line('')
  report.table([
    ['at a moderate rate', 'posts/s beside', 'timed', 'accepted p50, p99 ms', 'visible p50, p99, max ms'],
    ...measured.map(({ path, figures: { visible } }) => [
      path.name,
      visible.postsPerS.toFixed(0),
      String(visible.delaysMs.length),
      `${ms(at(visible.acceptedMs, 0.5))}, ${ms(at(visible.acceptedMs, 0.99))}`,
      [0.5, 0.99, 1].map((share) => ms(at(visible.delaysMs, share))).join(', '),
    ]),
  ])
  for (const { path, figures } of measured) {
    const { posts, reads } = figures
    report.line(`\n${path.name}`)
    const insertsAPost = posts.inserts / posts.requests
    report.table([
      [
        '',
        'CPU us per post',
        `(${insertsAPost.toFixed(0)} inserts)`,
        'cores then',
        'CPU us a read',
        'cores then',
      ],
      ...Object.keys(posts.cpu.secondsBy).map((name) => [
        name,
        perUs(posts.cpu, name, posts.requests),
        '',
        cores(posts.cpu, name),
        perUs(reads.cpu, name, reads.requests),
        cores(reads.cpu, name),
      ]),
      ['others on this machine', '', '', othersCores(posts.cpu), '', othersCores(reads.cpu)],
    ])
    report.line(`at its limit with posts: ${limitOf(posts.cpu)}; with reads: ${limitOf(reads.cpu)}`)
  }
}

const ms = (value: number): string => value.toFixed(value < 10 ? 1 : 0)
const at = (sorted: readonly number[], share: number): number =>
  sorted[Math.floor((sorted.length - 1) * share)]
const perUs = ({ secondsBy }: CpuUse, name: string, count: number): string =>
  ((secondsBy[name] * 1e6) / count).toFixed(0)
const cores = ({ secondsBy, elapsedS }: CpuUse, name: string): string =>
  (secondsBy[name] / elapsedS).toFixed(2)

function othersCores({ secondsBy, machineS, elapsedS }: CpuUse): string {
  const known = Object.values(secondsBy).reduce((sum, seconds) => sum + seconds, 0)
  return Math.max(0, (machineS - known) / elapsedS).toFixed(2)
}

const ALL_OF_THE_TIME = 0.9

/** Names the limit: a process whose only thread is busy, or the whole machine; otherwise the part that is waited for. */
function limitOf(cpu: CpuUse, coreCount = cpus().length): string {
  const { secondsBy, machineS, elapsedS } = cpu
  const [most] = Object.entries(secondsBy).toSorted(([, a], [, b]) => b - a)
  const isFull = machineS / elapsedS > coreCount * ALL_OF_THE_TIME
  const full = isFull ? `all ${coreCount} cores (others have ${othersCores(cpu)}), ${most[0]} takes most` : ''
  const busy = Object.keys(secondsBy).filter(
    (name) => ['api', 'the one process', LOAD_GENERATOR].includes(name) && isBusy(cpu, name),
  )
  return [full, ...busy.map((name) => `${name}, one thread`)].filter(Boolean).join('; ') || 'waiting, not CPU'
}

const isBusy = ({ secondsBy, elapsedS }: CpuUse, name: string): boolean =>
  secondsBy[name] / elapsedS > ALL_OF_THE_TIME

export interface Rest {
  readonly cpu: CpuUse
  readonly kafkaBytesPerS: number
}

export function printRest(report: Report, { cpu, kafkaBytesPerS }: Rest): void {
  const shares = Object.entries(cpu.secondsBy)
    .filter(([name]) => name !== LOAD_GENERATOR)
    .map(([name, seconds]) => `${name} ${((seconds * 100) / cpu.elapsedS).toFixed(0)} %`)
  report.line(
    `at rest, of one core: ${shares.join(', ')}; the log grows by ${format(kafkaBytesPerS)} bytes/s`,
  )
}

export interface Stored {
  readonly graph: PathGraph
  readonly imported: TableBytes
  readonly full: TableBytes
  readonly posts: number
  /** By how many bytes the topic grew. */
  readonly kafka: number
  readonly redis: { readonly empty: number; readonly open: number; readonly full: number }
}

const ACCOUNT_TABLES = ['t_accounts', 't_account_numbers', 't_external_ids', 't_handles']
const FOLLOW_TABLES = ['t_circles', 't_follower_heads', 't_follower_leaves', 't_follower_totals']
const TABLES_SHOWN = 8

export function printStored(report: Report, stored: Stored): void {
  const { graph, imported, full, posts, kafka, redis } = stored
  const accounts = graph.followers.length
  const tables = grownBytes(imported, full)
  const ofPosts = tables.reduce((sum, [, bytes]) => sum + bytes, 0)
  report.table([
    ['stored, one copy', 'bytes'],
    [
      'Cassandra, per account (imported, no profile)',
      (totalBytes(imported, ACCOUNT_TABLES) / accounts).toFixed(1),
    ],
    ['Cassandra, a follow (imported)', (totalBytes(imported, FOLLOW_TABLES) / graph.follows).toFixed(1)],
    ['Cassandra, per post of some 120 bytes', (ofPosts / posts).toFixed(1)],
    ...tables
      .slice(0, TABLES_SHOWN)
      .map(([name, bytes]) => [`  of which ${name.replace(/^t_/, '')}`, (bytes / posts).toFixed(1)]),
    ['Kafka, per post (records of progress included)', (kafka / posts).toFixed(1)],
    ['Redis, an account with an empty timeline', ((redis.open - redis.empty) / accounts).toFixed(0)],
    [
      `Redis, per account after ${format((posts * graph.follows) / accounts / accounts)} inserts (800 stay)`,
      ((redis.full - redis.empty) / accounts).toFixed(0),
    ],
  ])
}
