/**
 * Measures how costs grow with the number of accounts: the same reads and inserts at 10 k, 100 k and 1 M accounts (50
 * followers per author on average), the longest pause of the event loop meanwhile, and resident memory.
 */

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { generatePowerLaw, shuffled } from './graph.ts'
import { type Bench, type BenchContext, type BenchResult, format } from './harness.ts'
import { numberOf, openEngineWorld, writeFollowing, type EngineWorld } from './engine-world.ts'

const FOLLOWERS_MEAN = 50
const FOLLOWS = 200
const READERS = 200
const WRITERS = 256
const EVERYBODY = 1_000_000_000

export const growth: Bench = {
  name: 'growth',
  describe:
    'read p99 at the largest size against the smallest (goal: 1.5 times at most; no pause above 50 ms)',
  run,
}

async function run({ quick, report }: BenchContext): Promise<BenchResult> {
  const sizes = quick ? [10_000, 50_000] : [10_000, 100_000, 1_000_000]
  const rows = [['accounts', 'read p50 ms', 'read p99 ms', 'inserts/s', 'longest pause ms', 'resident MiB']]
  const p99s: number[] = []
  for (const accounts of sizes) {
    report.progress(`  ${accounts} accounts: building`)
    const figures = await measure(accounts, quick)
    p99s.push(figures.p99Ms)
    rows.push([
      `${accounts}`,
      figures.p50Ms.toFixed(3),
      figures.p99Ms.toFixed(3),
      format(figures.insertsPerS),
      figures.pauseMs.toFixed(1),
      figures.residentMib.toFixed(0),
    ])
    report.progress(`  ${rows.at(-1)!.join('  ')}`)
  }
  report.table(rows)
  const [first, last] = [p99s[0], p99s.at(-1)!]
  return { ours: last, reference: first, ratio: last / first, unit: 'ms read p99', runs: 1 }
}

async function measure(accounts: number, quick: boolean) {
  const graph = generatePowerLaw(accounts, accounts * FOLLOWERS_MEAN, 3)
  const world = await openEngineWorld(graph)
  try {
    await world.rivulet.graph.commands.setPolicy({ push_threshold_followers: EVERYBODY })
    const order = shuffled(accounts, 5)
    const readers = await makeReaders(world, order)
    const posts = quick ? 4_000 : 40_000
    await post(world, order, posts / 4)
    const pauses = monitorEventLoopDelay({ resolution: 2 })
    pauses.enable()
    const before = world.rivulet.feed.fanout.stats.served
    const startMs = performance.now()
    await post(world, order, posts)
    const insertsPerS =
      ((world.rivulet.feed.fanout.stats.served - before) / (performance.now() - startMs)) * 1_000
    const latenciesMs = await read(world, readers, quick ? 4_000 : 40_000)
    pauses.disable()
    const at = (share: number) => latenciesMs[Math.floor((latenciesMs.length - 1) * share)]
    const pauseMs = pauses.max / 1e6
    return {
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      insertsPerS,
      pauseMs,
      residentMib: process.memoryUsage().rss / 2 ** 20,
    }
  } finally {
    await world.close()
  }
}

async function makeReaders({ store, rivulet }: EngineWorld, order: Uint32Array): Promise<number[]> {
  const readers: number[] = []
  for (let i = 0; i < READERS; i++) {
    const followees = Array.from({ length: FOLLOWS }, (_, j) =>
      numberOf(order[(i * FOLLOWS + j) % order.length]),
    )
    const reader = numberOf(order[order.length - 1 - i])
    await writeFollowing(
      store,
      reader,
      followees.filter((followee) => followee !== reader),
    )
    rivulet.graph.circles.drop(reader)
    readers.push(reader)
  }
  return readers
}

async function post({ rivulet }: EngineWorld, order: Uint32Array, posts: number): Promise<void> {
  let left = posts
  await Promise.all(
    Array.from({ length: WRITERS }, async () => {
      while (left-- > 0)
        await rivulet.feed.commands.post(numberOf(order[left % order.length]), { content: 'x'.repeat(90) })
    }),
  )
  await rivulet.settle()
}

async function read({ rivulet }: EngineWorld, readers: readonly number[], reads: number): Promise<number[]> {
  for (const reader of readers) await rivulet.feed.reads.home(reader, { limit: 20 })
  await rivulet.settle()
  const latenciesMs: number[] = []
  for (let i = 0; i < reads; i++) {
    const startMs = performance.now()
    await rivulet.feed.reads.home(readers[i % readers.length], { limit: 20 })
    latenciesMs.push(performance.now() - startMs)
    if (i % 64 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  return latenciesMs.sort((a, b) => a - b)
}
