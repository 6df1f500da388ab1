/**
 * Measures batches: follows and posts of many accounts, 1,000 in a request, over HTTP into a server in a process of its
 * own, on a data folder. Each item is durable, projected and answered for, and has an idempotency key, as those of
 * `rivulet import --url`. Every run takes a new server.
 */

import { measureCpu } from './cpu.ts'
import {
  type Bench,
  type BenchContext,
  type BenchResult,
  format,
  formatSample,
  RUNS,
  summarize,
} from './harness.ts'
import { SERVER_KEY, startServer, type BenchServer } from './http-server.ts'

const ITEMS = 1_000
/** Requests under way at a time, as many as the import has. */
const AT_ONCE = 4
const ACCOUNTS = 10_000
const CONTENT =
  'A post of a usual length, more or less, as people write them when they have something to say.'

export const batch: Bench = {
  name: 'batch',
  describe: 'items of batches carried out per second (goals: 20,000 follows, 8,000 posts)',
  run,
}

async function run({ quick, report }: BenchContext): Promise<BenchResult> {
  const counts = { accounts: ACCOUNTS, follows: quick ? 60_000 : 300_000, posts: quick ? 30_000 : 100_000 }
  const runs = quick ? 1 : RUNS
  const sent: Record<keyof typeof counts, Sent[]> = { accounts: [], follows: [], posts: [] }
  for (let i = 0; i < runs; i++) {
    const server = await startServer()
    try {
      sent.accounts.push(await send(server, 'accounts', range(counts.accounts, accountOf)))
      sent.follows.push(await send(server, 'follows', range(counts.follows, followOf)))
      sent.posts.push(await send(server, 'posts', range(counts.posts, postOf)))
    } finally {
      await server.stop()
    }
    report.progress(`  run ${i + 1}/${runs}: ${format(sent.follows[i].perS)} follows/s`)
  }
  const row = (name: string, of: readonly Sent[]) => [
    name,
    formatSample(summarize(of.map(({ perS }) => perS))),
    formatSample(summarize(of.map(({ cpuUs }) => cpuUs))),
  ]
  report.table([
    ['', 'items/s', 'CPU of the server, µs an item'],
    row('accounts', sent.accounts),
    row(`follows, ${counts.follows / ACCOUNTS} an account`, sent.follows),
    row('posts of accounts with these followers', sent.posts),
  ])
  const { median: ours } = summarize(sent.follows.map(({ perS }) => perS))
  return { ours, reference: null, ratio: null, unit: 'follows/s', runs }
}

interface Sent {
  readonly perS: number
  readonly cpuUs: number
}

const range = <T>(count: number, of: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => of(i))

const accountOf = (i: number) => ({ external_id: `a${i}`, idempotency_key: `account-${i}` })

/** Every account follows the ones after it, further away in each round. */
function followOf(i: number) {
  const follower = i % ACCOUNTS
  const followee = (follower + 1 + 7 * Math.floor(i / ACCOUNTS)) % ACCOUNTS
  return { follower: `ext:a${follower}`, followee: `ext:a${followee}`, idempotency_key: `follow-${i}` }
}

const postOf = (i: number) => ({
  author: `ext:a${(i * 7) % ACCOUNTS}`,
  content: CONTENT,
  idempotency_key: `post-${i}`,
})

/** Sends all items, and waits for their answers. */
async function send({ port, pid }: BenchServer, what: string, items: readonly object[]): Promise<Sent> {
  const bodies: string[] = []
  for (let from = 0; from < items.length; from += ITEMS)
    bodies.push(JSON.stringify({ items: items.slice(from, from + ITEMS) }))
  const url = `http://127.0.0.1:${port}/api/v1/batch/${what}`
  const headers = { authorization: `Bearer ${SERVER_KEY}`, 'content-type': 'application/json' }
  const ended = measureCpu({ server: [pid] })
  let next = 0
  const takeTurns = async () => {
    while (next < bodies.length) {
      const answer = await fetch(url, { method: 'POST', headers, body: bodies[next++] })
      const text = await answer.text()
      if (!answer.ok || text.includes('"problem"')) throw new Error(`${answer.status} ${text.slice(0, 500)}`)
    }
  }
  await Promise.all(range(AT_ONCE, takeTurns))
  const { elapsedS, secondsBy } = ended()
  return { perS: items.length / elapsedS, cpuUs: (secondsBy.server * 1e6) / items.length }
}
