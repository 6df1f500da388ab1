/**
 * Measures inserts per second into timelines. The references are ZADD and ZREMRANGEBYRANK through pipelines to a local
 * Redis, and one plain array per account. Redis has the other core to itself and keeps bare ids as members, while ours
 * keep ref and kind, too. A second column shows a client that is tuned by hand (`redis-sinks.ts`).
 */

import { freemem } from 'node:os'
import { ID_MAX } from '../src/core/ids.ts'
import { LIMITS } from '../src/core/limits.ts'
import { createMemoryViews, type MemoryViews } from '../src/ports/views/memory/memory.ts'
import type { Spread, Views } from '../src/ports/views/views.ts'
import { type Graph, generatePowerLaw, loadMusae } from './graph.ts'
import {
  type Bench,
  type BenchContext,
  type BenchResult,
  type Contender,
  RUNS,
  type Report,
  type Sample,
  format,
  formatSample,
  interleave,
  seconds,
} from './harness.ts'
import { RawPipeline, type RedisServer, redisVersion, startRedis, zaddTail, zaddTo } from './redis.ts'
import { type Sink, clientSink, rawSink, timelineKey } from './redis-sinks.ts'
import { batches, postingOrder } from './spread-stream.ts'

const CAPACITY = LIMITS.timelineEntriesMax
const BYTES_MAX = 20 * 2 ** 30
const FULL_CASE_BYTES = 14 * 2 ** 30
const CHECKED_ACCOUNTS = 500

export const timelineInsert: Bench = {
  name: 'timeline-insert',
  describe: 'inserts per second into timelines, against Redis sorted sets (goal: 30 times)',
  run,
}

interface Case {
  readonly graph: Graph
  readonly orders: readonly Uint32Array[]
  readonly inserts: number
  readonly redisInserts: number
}

type Samples = Partial<Record<'ours' | 'arrays' | 'redis' | 'raw', Sample>>

async function run({ quick, report }: BenchContext): Promise<BenchResult> {
  const version = redisVersion()
  if (version === undefined) report.line('redis-server is not installed: its columns are skipped')
  const redis = version === undefined ? undefined : await startRedis()
  try {
    const small = await runCase(smallCase(quick), redis, report)
    const large = await runCase(largeCase(quick), redis, report)
    if (quick) report.line('quick: fewer rounds, a large graph of fewer edges, and only its first inserts')
    report.table([head(version), ...small.rows, ...large.rows])
    if (!quick) await runFull(redis, report)
    const { ours, redis: reference } = large.samples
    return {
      ours: ours!.median,
      reference: reference?.median ?? null,
      ratio: reference === undefined ? null : ours!.median / reference.median,
      unit: 'inserts/s',
      runs: RUNS,
    }
  } finally {
    await redis?.stop()
  }
}

function smallCase(quick: boolean): Case {
  const graph = loadMusae() ?? generatePowerLaw(40_000, 600_000, 1)
  const rounds = quick ? 5 : 50
  const orders = Array.from({ length: rounds }, (_, round) => postingOrder(graph, round))
  return { graph, orders, inserts: graph.edges * rounds, redisInserts: quick ? 50_000 : 2_000_000 }
}

function largeCase(quick: boolean): Case {
  const graph = generatePowerLaw(1_000_000, quick ? 12_000_000 : 50_000_000, 1)
  const orders = [postingOrder(graph, 0)]
  return {
    graph,
    orders,
    inserts: quick ? 3_000_000 : graph.edges,
    redisInserts: quick ? 100_000 : 2_000_000,
  }
}

const head = (version: string | undefined): string[] => [
  'case',
  'inserts',
  'ours /s, median (range)',
  'array per account /s',
  version === undefined ? 'Redis: not installed' : `Redis ${version}, client pipelines /s`,
  'ratio',
  'raw, tuned /s',
  'ratio',
]

async function runCase(one: Case, redis: RedisServer | undefined, report: Report) {
  report.progress(`${one.graph.name}: ${format(one.inserts)} inserts`)
  const contenders: Record<string, Contender> = {
    ours: () => timeOurs(one),
    arrays: () => timeArrays(one),
  }
  if (redis !== undefined) {
    contenders['redis'] = () => timeRedis(one, redis, clientSink(redis), clientInserts(one))
    contenders['raw'] = async () => timeRedis(one, redis, await rawSink(redis), one.redisInserts)
  }
  const samples: Samples = await interleave(contenders, RUNS, report)
  if (redis !== undefined) await checkSame(one, redis)
  return { samples, rows: rowsOf(one, samples) }
}

function rowsOf(one: Case, { ours, arrays, redis, raw }: Samples): string[][] {
  const { graph, orders, inserts, redisInserts } = one
  const rounds = orders.length > 1 ? `, ${orders.length} rounds` : ''
  const against = (sample: Sample | undefined, count: number) =>
    sample === undefined
      ? ['-', '-']
      : [`${formatSample(sample)} (the first ${format(count)})`, (ours!.median / sample.median).toFixed(1)]
  return [
    [
      `${graph.name}${rounds}`,
      format(inserts),
      formatSample(ours!),
      formatSample(arrays!),
      ...against(redis, clientInserts(one)),
      ...against(raw, redisInserts),
    ],
  ]
}

async function openViews(accounts: number): Promise<MemoryViews> {
  const views = createMemoryViews({ bytesMax: BYTES_MAX, capacity: CAPACITY })
  for (let from = 0; from < accounts; from += 10_000) {
    await views.open(Array.from({ length: Math.min(10_000, accounts - from) }, (_, i) => from + i))
  }
  return views
}

async function timeOurs({ graph, orders, inserts }: Case): Promise<number> {
  const views = await openViews(graph.accounts)
  const startMs = performance.now()
  for (const batch of batches(graph, orders, inserts)) await views.insert(batch)
  return inserts / seconds(startMs)
}

/** The simplest form that one could write: neither sorted nor deduplicated, with references to posts as entries. */
async function timeArrays({ graph, orders, inserts }: Case): Promise<number> {
  const timelines: Spread[][] = Array.from({ length: graph.accounts }, () => [])
  const startMs = performance.now()
  for (const batch of batches(graph, orders, inserts)) {
    for (const spread of batch) {
      for (const owner of spread.owners) {
        const timeline = timelines[owner]
        timeline.push(spread)
        if (timeline.length > CAPACITY) timeline.shift()
      }
    }
  }
  return inserts / seconds(startMs)
}

/** The usual client is so much slower that fewer inserts are enough to measure it. */
const clientInserts = ({ redisInserts }: Case): number => redisInserts / 2

async function timeRedis(one: Case, { client }: RedisServer, sink: Sink, inserts: number): Promise<number> {
  await client.flushAll()
  return push(one, sink, inserts)
}

async function push({ graph, orders }: Case, sink: Sink, inserts: number): Promise<number> {
  const startMs = performance.now()
  for (const batch of batches(graph, orders, inserts)) {
    for (const { id, owners } of batch) {
      for (const owner of owners) {
        const wait = sink.insert(owner, id)
        if (wait !== undefined) await wait
      }
    }
  }
  await sink.end()
  return inserts / seconds(startMs)
}

/** Checks that both hold the same entries; otherwise the comparison would mean nothing. */
async function checkSame(one: Case, redis: RedisServer): Promise<void> {
  await timeRedis(one, redis, await rawSink(redis), one.redisInserts)
  const views = await openViews(one.graph.accounts)
  for (const batch of batches(one.graph, one.orders, one.redisInserts)) await views.insert(batch)
  for (let n = 0; n < CHECKED_ACCOUNTS; n++) {
    const owner = Math.floor((n * one.graph.accounts) / CHECKED_ACCOUNTS)
    const page = await views.range(owner, ID_MAX, CAPACITY)
    const members = await redis.client.zRange(timelineKey(owner), 0, CAPACITY - 1, { REV: true })
    if (page === undefined || [...page.entries.ids].join() !== members.join()) {
      throw new Error(`timeline ${owner} differs between ours and redis`)
    }
  }
}

/**
 * The state of a server after weeks: every timeline is full, and every insert trims. A million full timelines would take
 * 90 GB in Redis, so Redis gets fewer accounts, which makes it faster because of the CPU's caches.
 */
async function runFull(redis: RedisServer | undefined, report: Report): Promise<void> {
  if (freemem() < FULL_CASE_BYTES) return report.line('full timelines: skipped, needs 14 GB of free memory')
  const graph = generatePowerLaw(1_000_000, 20_000_000, 2)
  report.progress('1 M full timelines: filling')
  const views = await openViews(graph.accounts)
  await fillAll(views, graph.accounts)
  let longestMs = 0
  const startMs = performance.now()
  for (const batch of batches(graph, [postingOrder(graph, 0)])) {
    const callMs = performance.now()
    await views.insert(batch)
    longestMs = Math.max(longestMs, performance.now() - callMs)
  }
  const rate = graph.edges / seconds(startMs)
  const { bytes, entries } = views.stats()
  report.line(
    `1 M full timelines (${format(bytes)}B, ${(bytes / entries).toFixed(2)} bytes per entry), each insert trims: ` +
      `${format(rate)} per second of ${format(graph.edges)}, longest call ${longestMs.toFixed(1)} ms`,
  )
  if (redis !== undefined) await runFullRedis(redis, rate, report)
}

const FULL_REDIS_ACCOUNTS = 10_000

async function runFullRedis(redis: RedisServer, ours: number, report: Report): Promise<void> {
  report.progress(`${format(FULL_REDIS_ACCOUNTS)} full timelines in redis: filling`)
  await redis.client.flushAll()
  const pipeline = await RawPipeline.open(redis.socketPath)
  for (let owner = 0; owner < FULL_REDIS_ACCOUNTS; owner++) {
    for (let n = 0; n < CAPACITY; n++) {
      if (pipeline.command(zaddTo(timelineKey(owner), zaddTail(2 ** 50 + n * 128)))) await pipeline.drain()
    }
  }
  await pipeline.drain(0)
  pipeline.close()
  const graph = generatePowerLaw(FULL_REDIS_ACCOUNTS, 1_000_000, 2)
  const { edges } = graph
  const one = { graph, orders: [postingOrder(graph, 0)], inserts: edges, redisInserts: edges }
  const rate = await push(one, await rawSink(redis), edges)
  report.line(
    `${format(FULL_REDIS_ACCOUNTS)} full timelines in redis: ${format(rate)} per second of ${format(graph.edges)}; ` +
      `ratio ${(ours / rate).toFixed(1)}`,
  )
}

async function fillAll(views: Views, accounts: number): Promise<void> {
  const entries = {
    length: CAPACITY,
    ids: Float64Array.from({ length: CAPACITY }, (_, i) => 2 ** 50 - i * 128),
    refs: new Uint32Array(CAPACITY),
    kinds: new Uint16Array(CAPACITY),
  }
  for (let owner = 0; owner < accounts; owner++) {
    const [epoch] = await views.open([owner])
    await views.merge(owner, epoch, entries)
  }
}
