/**
 * Measures batches: follows and posts of many accounts, 1,000 in a request, over HTTP into a server in a process of its
 * own, on a data folder. Each item is durable, projected and answered for, and has an idempotency key, as those of
 * `rivulet import --url`. Every run takes a new server.
 */

import { formatSample, interleave, RUNS, type Bench, type BenchContext, type BenchResult } from './harness.ts'
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
  const follows = quick ? 60_000 : 300_000
  const posts = quick ? 30_000 : 100_000
  const [followsPerS, postsPerS]: [number[], number[]] = [[], []]
  const one = async () => {
    const server = await startServer()
    try {
      const accounts = range(ACCOUNTS, (i) => ({ external_id: `a${i}` }))
      const accountsPerS = await send(server, 'accounts', accounts)
      followsPerS.push(await send(server, 'follows', range(follows, followOf)))
      postsPerS.push(await send(server, 'posts', range(posts, postOf)))
      return accountsPerS
    } finally {
      await server.stop()
    }
  }
  const { accounts } = await interleave({ accounts: one }, quick ? 1 : RUNS, report)
  const sampleOf = (values: number[]) => {
    const sorted = values.toSorted((a, b) => a - b)
    return { median: sorted[sorted.length >> 1], min: sorted[0], max: sorted[sorted.length - 1] }
  }
  report.table([
    ['', 'items/s'],
    ['accounts', formatSample(accounts)],
    [`follows, ${follows / ACCOUNTS} an account`, formatSample(sampleOf(followsPerS))],
    ['posts of the same accounts', formatSample(sampleOf(postsPerS))],
  ])
  return {
    ours: sampleOf(followsPerS).median,
    reference: null,
    ratio: null,
    unit: 'follows/s',
    runs: quick ? 1 : RUNS,
  }
}

const range = <T>(count: number, of: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => of(i))

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

/** Sends all items. @returns how many were carried out per second */
async function send({ port }: BenchServer, what: string, items: readonly object[]): Promise<number> {
  const bodies: string[] = []
  for (let from = 0; from < items.length; from += ITEMS)
    bodies.push(JSON.stringify({ items: items.slice(from, from + ITEMS) }))
  const url = `http://127.0.0.1:${port}/api/v1/batch/${what}`
  const headers = { authorization: `Bearer ${SERVER_KEY}`, 'content-type': 'application/json' }
  const startMs = performance.now()
  let next = 0
  const takeTurns = async () => {
    while (next < bodies.length) {
      const answer = await fetch(url, { method: 'POST', headers, body: bodies[next++] })
      const text = await answer.text()
      if (!answer.ok || text.includes('"problem"')) throw new Error(`${answer.status} ${text.slice(0, 500)}`)
    }
  }
  await Promise.all(range(AT_ONCE, takeTurns))
  return items.length / ((performance.now() - startMs) / 1_000)
}
