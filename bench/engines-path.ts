/**
 * Measures the whole path on real engines, one node of each, with processes as a user runs them: an API process and one
 * worker, then two workers; and the same with the embedded engine. Engines, processes and load share the machine's cores
 * here, so the CPU time of each part shows which of them is the limit.
 */

import { cpus } from 'node:os'
import { join } from 'node:path'
import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { measureCpu } from './cpu.ts'
import { rivulet, startDeployment, type Deployment } from './deployment.ts'
import { type Bench, type BenchContext, type BenchResult, type Report } from './harness.ts'
import { scratchFolder, startServer, type BenchServer } from './http-server.ts'
import { printPaths, printRest, printStored, type Measured } from './path-report.ts'
import { feedIds, post, runPath, type Path, type PathTimes } from './path-phases.ts'
import { createPathGraph, eachOf, openTokens, writeEdges, type PathGraph } from './path-world.ts'
import { cassandraBytes, kafkaBytes, redisBytes } from './stored-bytes.ts'

export const enginesPath: Bench = {
  name: 'engines-path',
  describe:
    'posts, inserts, visibility and reads through Kafka, Cassandra and Redis, and what each costs there',
  run,
}

interface Size extends PathTimes {
  readonly accounts: number
  readonly restMs: number
}

const FULL: Size = { accounts: 3_000, postsMs: 15_000, visibleMs: 15_000, readsMs: 10_000, restMs: 5_000 }
const QUICK: Size = { accounts: 400, postsMs: 2_500, visibleMs: 2_500, readsMs: 1_500, restMs: 1_000 }

interface World {
  readonly graph: PathGraph
  readonly edges: string
}

async function run({ quick, report }: BenchContext): Promise<BenchResult> {
  const size = quick ? QUICK : FULL
  const folder = scratchFolder()
  try {
    const graph = createPathGraph(size.accounts)
    const world = { graph, edges: join(folder, 'edges.csv') }
    writeEdges(graph, world.edges)
    report.line(
      `${size.accounts} accounts, ${graph.follows} follows; 32 connections; ${cpus().length} cores for all`,
    )
    const onEngines = await measureOnEngines(world, size, report)
    const embedded = await measureEmbedded(world, size, report)
    printPaths(report, [...onEngines, embedded])
    const ours = onEngines[0]?.figures.posts.perS ?? NaN
    const reference = embedded.figures.posts.perS
    return { ours, reference, ratio: ours / reference, unit: 'posts/s', runs: 1 }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measureOnEngines(world: World, size: Size, report: Report): Promise<Measured[]> {
  const deployment = await startDeployment(report.progress).catch((error: unknown) => {
    report.line(
      `left out, because the engines cannot be started: ${error instanceof Error ? error.message : error}`,
    )
    return undefined
  })
  if (deployment === undefined) return []
  const end = endOnSignal(deployment)
  try {
    return await measureDeployment(deployment, world, size, report)
  } finally {
    await end()
  }
}

/**
 * Engines outlive the process that started them, so the deployment is also ended on SIGINT and SIGTERM.
 * @returns a function that ends it
 */
function endOnSignal(deployment: Deployment): () => Promise<void> {
  const ending = () => void deployment.stop().finally(() => process.exit(130))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, ending)
  return async () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, ending)
    await deployment.stop()
  }
}

async function measureDeployment(deployment: Deployment, world: World, size: Size, report: Report) {
  const { graph } = world
  report.progress('importing')
  await rivulet(['import', '--edges', world.edges], deployment.settings)
  const imported = await cassandraBytes(deployment)
  const redisEmpty = await redisBytes(deployment)

  const api = await deployment.start('api')
  const workers = [await deployment.start('worker')]
  const tokens = await openTokens(api, size.accounts)
  const path = (): Path => ({
    name: `engines, ${workers.length} worker${workers.length > 1 ? 's' : ''}`,
    api,
    workers,
    graph,
    tokens,
    processes: {
      api: [api.pid],
      workers: workers.map(({ pid }) => pid),
      ...Object.fromEntries(
        Object.values(deployment.engines).map(({ name, nodes }) => [name, nodes.map(pidOf)]),
      ),
    },
  })
  await openTimelines(path(), report)
  const redisOpen = await redisBytes(deployment)
  const rest = await measureRest(deployment, path(), size.restMs)

  const kafkaBefore = kafkaBytes(deployment)
  const postsBefore = await fannedOut(workers)
  report.progress('one worker')
  const one = { path: path(), figures: await runPath(path(), size) }
  report.progress('two workers')
  workers.push(await deployment.start('worker'))
  await awaitShare(path())
  const two = { path: path(), figures: await runPath(path(), size) }

  const posts = (await fannedOut(workers)) - postsBefore
  const kafka = kafkaBytes(deployment) - kafkaBefore
  printRest(report, rest)
  printStored(report, {
    graph,
    imported,
    full: await cassandraBytes(deployment),
    posts,
    kafka,
    redis: { empty: redisEmpty, open: redisOpen, full: await redisBytes(deployment) },
  })
  return [one, two]
}

const pidOf = (node: Deployment['engines']['kafka']['nodes'][number]): number => Number(node.process?.pid)

async function fannedOut(workers: readonly BenchServer[]): Promise<number> {
  const counts = await Promise.all(workers.map((worker) => worker.metric('rivulet_fanout_posts_total')))
  return counts.reduce((sum, count) => sum + count, 0)
}

const OPEN_WITHIN_MS = 120_000

/** All readers read once, so that each of them has a timeline. */
async function openTimelines({ api, workers, tokens }: Path, report: Report): Promise<void> {
  const startMs = performance.now()
  await eachOf(tokens.length, async (account) => void (await feedIds({ api }, tokens[account])))
  const readMs = performance.now()
  const made = async () => {
    const counts = [api, ...workers.filter((worker) => worker !== api)].map((each) =>
      each.metric('rivulet_rebuilds_total'),
    )
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
  }
  while ((await made()) < tokens.length) {
    if (performance.now() - readMs > OPEN_WITHIN_MS) throw new Error('timelines were not made in time')
    await sleep(100)
  }
  const seconds = (ms: number) => (ms / 1_000).toFixed(1)
  report.line(
    `first read of everybody: ${seconds(readMs - startMs)} s, timelines made after ${seconds(performance.now() - startMs)} s`,
  )
}

/** Measures an idle deployment: the CPU time of each process, and how fast the log grows. */
async function measureRest(deployment: Deployment, { processes }: Path, restMs: number) {
  const endCpu = measureCpu(processes)
  const before = kafkaBytes(deployment)
  await sleep(restMs)
  return { cpu: endCpu(), kafkaBytesPerS: ((kafkaBytes(deployment) - before) * 1_000) / restMs }
}

const SHARE_POSTS_MS = 500
const SHARE_TRIES = 20

/** Waits until each worker owns partitions. */
async function awaitShare(path: Path): Promise<void> {
  for (let tries = 0; tries < SHARE_TRIES; tries++) {
    const { insertsPerS } = await post(path, SHARE_POSTS_MS)
    if (insertsPerS.every((perS) => perS > 0)) return
    await sleep(SHARE_POSTS_MS)
  }
  throw new Error('a worker got no partition of the log')
}

async function measureEmbedded({ graph, edges }: World, size: Size, report: Report): Promise<Measured> {
  report.progress('embedded')
  const folder = scratchFolder()
  await rivulet(['import', '--edges', edges, '--data', join(folder, 'data')])
  const server = await startServer(folder)
  try {
    const tokens = await openTokens(server, size.accounts)
    const processes = { 'the one process': [server.pid] }
    const path = { name: 'embedded', api: server, workers: [server], graph, tokens, processes }
    await openTimelines(path, report)
    return { path, figures: await runPath(path, size) }
  } finally {
    await server.stop()
  }
}
