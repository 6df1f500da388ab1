/**
 * Measures fan-out end to end: posts are accepted durably, projected, planned and inserted into every follower's timeline.
 * The reference uses the same log, follower rows and posts, and keeps timelines in a local Redis, with ZADD and
 * ZREMRANGEBYRANK for each follower through pipelines of the usual client. A second reference is tuned by hand beyond
 * what is usual: raw RESP, bare ids, and a trim after every 64th insert only.
 */

import { type EngineWorld, numberOf, openEngineWorld } from './engine-world.ts'
import { type Graph, generatePowerLaw, loadMusae, shuffled } from './graph.ts'
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
import { type RedisServer, redisVersion, startRedis } from './redis.ts'
import { type Sink, clientSink, rawSink } from './redis-sinks.ts'

const WRITERS = 512
const CONTENT =
  'A post of a usual length, more or less, as people write them when they have something to say.'
const BATCH_POSTS = 64
const POSTS_A_RUN = 20_000
const REDIS_POSTS_A_RUN = 500
const EVERYBODY = 1_000_000_000

export const fanout: Bench = {
  name: 'fanout',
  describe:
    'inserts per second from durable accept to timelines, against the same with Redis (goal: 12 times)',
  run,
}

interface Counts {
  postsPerS: number
}

async function run({ quick, report }: BenchContext): Promise<BenchResult> {
  const version = redisVersion()
  if (version === undefined) report.line('redis-server is not installed: its columns are skipped')
  const redis = version === undefined ? undefined : await startRedis()
  try {
    const rows = [
      [
        'graph',
        'posts a run',
        'inserts/s',
        'posts/s',
        `Redis ${version ?? 'absent'}, client pipelines`,
        'ratio',
        'raw, tuned',
        'ratio',
      ],
    ]
    let last: { ours: Sample; redis?: Sample } | undefined
    for (const graph of graphs(quick)) {
      last = await runGraph(graph, redis, report, rows)
    }
    report.table(rows)
    const { ours, redis: reference } = last!
    return {
      ours: ours.median,
      reference: reference?.median ?? null,
      ratio: reference === undefined ? null : ours.median / reference.median,
      unit: 'inserts/s',
      runs: RUNS,
    }
  } finally {
    await redis?.stop()
  }
}

/** Graphs with 15, 50 and 200 followers per post, because accepting a post costs the same for any number of followers. */
function* graphs(quick: boolean): Generator<Graph> {
  yield loadMusae() ?? generatePowerLaw(40_000, 600_000, 1)
  if (!quick) yield generatePowerLaw(200_000, 10_000_000, 2)
  yield quick ? generatePowerLaw(20_000, 4_000_000, 3) : generatePowerLaw(100_000, 20_000_000, 3)
}

async function runGraph(graph: Graph, redis: RedisServer | undefined, report: Report, rows: string[][]) {
  report.progress(`${graph.name}: writing it`)
  const world = await openEngineWorld(graph)
  try {
    await world.rivulet.graph.commands.setPolicy({ push_threshold_followers: EVERYBODY })
    const order = shuffled(graph.accounts, 5)
    let at = 0
    const next = () => numberOf(order[at++ % order.length])
    const counts: Counts = { postsPerS: 0 }
    const contenders: Record<string, Contender> = { ours: () => runOurs(world, POSTS_A_RUN, next, counts) }
    if (redis !== undefined) {
      contenders['redis'] = () => runRedis(world, clientSink(redis), REDIS_POSTS_A_RUN, next)
      contenders['raw'] = async () => runRedis(world, await rawSink(redis), REDIS_POSTS_A_RUN, next)
    }
    report.progress('  a round to warm up, not counted')
    for (const contender of Object.values(contenders)) await contender()
    const { ours, redis: reference, raw } = await interleave(contenders, RUNS, report)
    const against = (sample?: Sample) =>
      sample === undefined ? ['', ''] : [formatSample(sample), (ours.median / sample.median).toFixed(1)]
    rows.push([
      graph.name,
      `${POSTS_A_RUN}`,
      formatSample(ours),
      format(counts.postsPerS),
      ...against(reference),
      ...against(raw),
    ])
    return reference === undefined ? { ours } : { ours, redis: reference }
  } finally {
    await world.close()
  }
}

async function runOurs(
  world: EngineWorld,
  posts: number,
  next: () => number,
  counts: Counts,
): Promise<number> {
  const { feed, settle } = world.rivulet
  const before = feed.fanout.stats.served
  const startMs = performance.now()
  let left = posts
  await Promise.all(
    Array.from({ length: WRITERS }, async () => {
      while (left-- > 0) await feed.commands.post(next(), { content: CONTENT })
    }),
  )
  await settle()
  counts.postsPerS = posts / seconds(startMs)
  return (feed.fanout.stats.served - before) / seconds(startMs)
}

/** The reference: a simple worker that appends durably, reads the followers, and writes to Redis. */
async function runRedis(world: EngineWorld, sink: Sink, posts: number, next: () => number): Promise<number> {
  const { engine, graph } = world.rivulet
  const log = await world.openLog()
  const value = Buffer.from(CONTENT)
  const startMs = performance.now()
  let inserts = 0
  for (let done = 0; done < posts; done += BATCH_POSTS) {
    const authors = Array.from({ length: BATCH_POSTS }, next)
    await log.append(authors.map((key) => ({ key, value })))
    for (const [i, parts] of (await graph.followers.partsOf(authors)).entries()) {
      const id = engine.ids.next()
      for (const { bucket, members, starts } of parts) {
        const numbers = starts.length === 0 ? members : await wholeBucket(world, authors[i], bucket)
        for (const follower of numbers) {
          inserts++
          const wait = sink.insert(follower, id)
          if (wait !== undefined) await wait
        }
      }
    }
  }
  await sink.end()
  const rate = inserts / seconds(startMs)
  await log.close()
  return rate
}

async function wholeBucket(world: EngineWorld, key: number, bucket: number): Promise<Uint32Array> {
  const [numbers] = await world.rivulet.graph.followers.membersIn([{ key, bucket, from: 0, to: Infinity }])
  return numbers
}
