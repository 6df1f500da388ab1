/**
 * Measures how many posts are accepted per second: appended to the log and synced, projected, and answered. Over HTTP with
 * all features on, at 1 and 64 connections, and in-process. The reference is bare `node:http` that reads the same request
 * and stores nothing.
 */

import { type Bench, type BenchContext, type BenchResult, RUNS, formatSample, interleave } from './harness.ts'
import { load, requestBytes, type LoadResult } from './http-load.ts'
import { startBareServer, startServer, type BenchServer } from './http-server.ts'
import { openEngineWorld } from './engine-world.ts'

const AUTHORS = 200
const CONTENT =
  'A post of a usual length, more or less, as people write them when they have something to say.'

export const accept: Bench = {
  name: 'accept',
  describe: 'posts accepted durably per second (goal: 10,000 over HTTP at 64 connections)',
  run,
}

async function run({ quick, report }: BenchContext): Promise<BenchResult> {
  const durationMs = quick ? 1_500 : 5_000
  const server = await startServer()
  const bare = await startBareServer(Buffer.from('{"id":"1"}'))
  try {
    const requests = await writeRequests(server)
    const last: Record<string, LoadResult> = {}
    const one = async (name: string, port: number, connections: number) => {
      let at = 0
      last[name] = await load({
        port,
        connections,
        durationMs,
        request: () => requests[at++ % requests.length],
      })
      return last[name].perS
    }
    await one('warm-up', server.port, 64)
    const samples = await interleave(
      {
        ours64: () => one('ours64', server.port, 64),
        ours1: () => one('ours1', server.port, 1),
        bare64: () => one('bare64', bare.port, 64),
      },
      RUNS,
      report,
    )
    const inProcess = await acceptInProcess(durationMs)
    const row = (name: string, key: 'ours64' | 'ours1' | 'bare64') => [
      name,
      formatSample(samples[key]),
      last[key].p50Ms.toFixed(2),
      last[key].p99Ms.toFixed(2),
    ]
    report.table([
      ['', 'posts/s', 'p50 ms', 'p99 ms (last run)'],
      row('HTTP, 64 connections', 'ours64'),
      row('HTTP, 1 connection', 'ours1'),
      [
        'in-process, 64 writers',
        inProcess.perS.toFixed(0),
        inProcess.p50Ms.toFixed(2),
        inProcess.p99Ms.toFixed(2),
      ],
      row('bare node:http, stores nothing', 'bare64'),
    ])
    const { ours64, bare64 } = samples
    return {
      ours: ours64.median,
      reference: bare64.median,
      ratio: ours64.median / bare64.median,
      unit: 'posts/s',
      runs: RUNS,
    }
  } finally {
    await bare.stop()
    await server.stop()
  }
}

async function writeRequests(server: BenchServer): Promise<Buffer[]> {
  const requests: Buffer[] = []
  for (let i = 0; i < AUTHORS; i++) {
    const { id } = await server.call<{ id: string }>('POST', '/accounts', { handle: `author${i}` })
    const { token } = await server.call<{ token: string }>('POST', '/tokens', { account_id: id })
    const body = JSON.stringify({ content: CONTENT })
    requests.push(requestBytes('POST', '/api/v1/posts', { Authorization: `Bearer ${token}` }, body))
  }
  return requests
}

async function acceptInProcess(durationMs: number): Promise<{ perS: number; p50Ms: number; p99Ms: number }> {
  const world = await openEngineWorld()
  const { graph, feed } = world.rivulet
  const authors: number[] = []
  for (let i = 0; i < AUTHORS; i++) authors.push((await graph.commands.createAccount({})).number)
  const latenciesMs: number[] = []
  const startMs = performance.now()
  await Promise.all(
    Array.from({ length: 64 }, async (_, writer) => {
      for (let i = writer; performance.now() - startMs < durationMs; i += 7) {
        const sentMs = performance.now()
        await feed.commands.post(authors[i % AUTHORS], { content: CONTENT })
        latenciesMs.push(performance.now() - sentMs)
      }
    }),
  )
  const perS = (latenciesMs.length / (performance.now() - startMs)) * 1_000
  await world.close()
  latenciesMs.sort((a, b) => a - b)
  const at = (share: number) => latenciesMs[Math.floor((latenciesMs.length - 1) * share)]
  return { perS, p50Ms: at(0.5), p99Ms: at(0.99) }
}
