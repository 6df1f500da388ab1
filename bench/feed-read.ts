/**
 * Measures reads of a home feed over HTTP with all features on: token, rate limit, metrics, and a log line per request.
 * Pages have 20 posts; the reader has 200 follows, of which 5 are pulled. The references are bare `node:http` that sends
 * the same bytes and, at 500 follows, the SQL query that pulls a feed, on SQLite.
 */

import initSqlJs from 'sql.js'
import { feedPageOf } from './feed-handler.ts'
import {
  type Bench,
  type BenchContext,
  type BenchResult,
  RUNS,
  format,
  formatSample,
  interleave,
} from './harness.ts'
import { load, requestBytes } from './http-load.ts'
import { startBareServer, startServer, type BenchServer } from './http-server.ts'

const CONNECTIONS = 32
const FOLLOWS = 200
const PULLED = 5

export const feedRead: Bench = {
  name: 'feed-read',
  describe:
    'feed pages per second over HTTP, everything on, against bare node:http with the same bytes (goal: 0.30)',
  run,
}

async function run({ quick, report }: BenchContext): Promise<BenchResult> {
  const durationMs = quick ? 1_500 : 5_000
  const server = await startServer()
  try {
    const token = await buildReader(server)
    const request = requestBytes('GET', '/api/v1/feed?limit=20', { Authorization: `Bearer ${token}` })
    const page = await fetchPage(server.port, token)
    const bare = await startBareServer(page)
    const p99 = { ours: 0, bare: 0 }
    const one = async (port: number, who: 'ours' | 'bare') => {
      const result = await load({ port, connections: CONNECTIONS, durationMs, request: () => request })
      p99[who] = result.p99Ms
      return result.perS
    }
    await one(server.port, 'ours')
    const { ours, reference } = await interleave(
      { ours: () => one(server.port, 'ours'), reference: () => one(bare.port, 'bare') },
      RUNS,
      report,
    )
    await bare.stop()
    const handler = await feedPageOf(FOLLOWS, PULLED, quick)
    report.table([
      ['', 'pages/s', 'p99 ms of the last run', 'share of bare node:http'],
      [
        'over HTTP, everything on',
        formatSample(ours),
        p99.ours.toFixed(2),
        (ours.median / reference.median).toFixed(2),
      ],
      ['bare node:http', formatSample(reference), p99.bare.toFixed(2), '1'],
      [
        'the handler alone, in-process',
        format(handler.perS),
        '',
        (handler.perS / reference.median).toFixed(2),
      ],
    ])
    report.line(`page: ${page.length} bytes`)
    await compareSql(report, quick)
    return {
      ours: ours.median,
      reference: reference.median,
      ratio: ours.median / reference.median,
      unit: 'pages/s',
      runs: RUNS,
    }
  } finally {
    await server.stop()
  }
}

async function fetchPage(port: number, token: string): Promise<Buffer> {
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1/feed?limit=20`, {
    headers: { authorization: `Bearer ${token}` },
  })
  return Buffer.from(await answer.arrayBuffer())
}

interface WithId {
  readonly id: string
}

/** @returns the reader's token */
async function buildReader(server: BenchServer): Promise<string> {
  const reader = await server.call<WithId>('POST', '/accounts', { handle: 'reader' })
  const authors: string[] = []
  for (let i = 0; i < FOLLOWS; i++) {
    const author = await server.call<WithId>('POST', '/accounts', {
      handle: `author${i}`,
      display_name: `Author ${i}`,
    })
    authors.push(author.id)
    if (i < PULLED) await server.call('PUT', `/admin/tiers/${author.id}`, { tier: 'pull' })
    await server.call('PUT', `/accounts/${author.id}/follow`, undefined, reader.id)
  }
  const content =
    'What people write when they have something to say, and it takes a line or two to say it well. '.repeat(4)
  for (let round = 0; round < 3; round++) {
    for (const [i, author] of authors.entries()) {
      // Pulled authors post last, so that their posts are on the page.
      await server.call('POST', '/posts', { content: `${round} ${i} ${content}` }, author)
    }
  }
  await server.call('POST', '/posts', { content }, authors[0])
  const { token } = await server.call<{ token: string }>('POST', '/tokens', { account_id: reader.id })
  return token
}

/** The feed as one SQL query over posts and follows, as in a service without fan-out. */
async function compareSql(report: BenchContext['report'], quick: boolean): Promise<void> {
  const follows = 500
  const { Database } = await initSqlJs()
  const db = new Database()
  db.run('CREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER, content TEXT)')
  db.run('CREATE INDEX by_author ON posts (author, id DESC)')
  db.run('CREATE TABLE follows (reader INTEGER, author INTEGER, PRIMARY KEY (reader, author)) WITHOUT ROWID')
  db.run('BEGIN')
  for (let i = 0; i < 50_000; i++)
    db.run('INSERT INTO posts VALUES (?, ?, ?)', [i, (i * 7_919) % 2_000, 'x'.repeat(400)])
  for (let i = 0; i < follows; i++) db.run('INSERT INTO follows VALUES (1, ?)', [i])
  db.run('COMMIT')
  const query = db.prepare(
    'SELECT p.id, p.author, p.content FROM posts p JOIN follows f ON f.author = p.author WHERE f.reader = 1 ORDER BY p.id DESC LIMIT 20',
  )
  const sql = () =>
    rate(quick ? 500 : 2_000, () => {
      query.reset()
      while (query.step()) query.get()
    })
  const handler = await feedPageOf(follows, PULLED, quick)
  const rows = [sql(), sql(), sql()].sort((a, b) => a - b)
  report.table([
    [`at ${follows} follows, in-process`, 'reads/s'],
    ['the handler: timeline, filters, 20 posts as JSON', format(handler.perS)],
    ['SQLite (WebAssembly, in memory): join, sort, 20 rows, no JSON', format(rows[1])],
    ['ratio', (handler.perS / rows[1]).toFixed(1)],
  ])
  db.close()
}

function rate(forMs: number, task: () => void): number {
  const startMs = performance.now()
  let count = 0
  while (performance.now() - startMs < forMs) {
    task()
    count++
  }
  return (count / (performance.now() - startMs)) * 1_000
}
