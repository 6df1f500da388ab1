/**
 * Measures the whole path from outside, in three phases: posts as fast as they are accepted, until the last one is in
 * every timeline; posts at a moderate rate, of which some are timed until a reader sees them; feeds as fast as they are
 * read.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { measureCpu, type CpuUse, type Processes } from './cpu.ts'
import { below, createRandomU32 } from './graph.ts'
import { load, type LoadResult } from './http-load.ts'
import type { BenchServer } from './http-server.ts'
import { authorized, createContents, feedRequest, postRequest, type PathGraph } from './path-world.ts'

export interface Path {
  readonly name: string
  readonly api: BenchServer
  /** The processes that fan out. */
  readonly workers: readonly BenchServer[]
  readonly processes: Processes
  readonly graph: PathGraph
  readonly tokens: readonly string[]
}

export interface PathTimes {
  readonly postsMs: number
  readonly visibleMs: number
  readonly readsMs: number
}

export interface PathFigures {
  readonly posts: PostFigures
  readonly visible: VisibleFigures
  readonly reads: LoadResult & { readonly cpu: CpuUse }
}

export interface PostFigures extends LoadResult {
  /** Inserts per second of each worker, from the first post to the last insert. */
  readonly insertsPerS: readonly number[]
  readonly inserts: number
  /** Seconds from the acceptance of the last post to the last insert. */
  readonly drainS: number
  readonly cpu: CpuUse
}

export interface VisibleFigures {
  readonly delaysMs: readonly number[]
  readonly acceptedMs: readonly number[]
  /** The rate of the posts beside those that are timed. */
  readonly postsPerS: number
}

const CONNECTIONS = 32
const LOOK_MS = 50
const FAN_OUT_STALLS_MS = 10_000

export async function runPath(path: Path, times: PathTimes): Promise<PathFigures> {
  await post(path, times.postsMs / 4)
  const posts = await post(path, times.postsMs)
  await sleep(500)
  const visible = await timeVisible(path, times.visibleMs)
  const request = feedRequests(path)
  const read = (durationMs: number) =>
    load({ port: path.api.port, connections: CONNECTIONS, durationMs, request })
  await read(times.readsMs / 4)
  const endCpu = measureCpu(path.processes)
  const reads = await read(times.readsMs)
  return { posts, visible, reads: { ...reads, cpu: endCpu() } }
}

const insertsOf = (workers: readonly BenchServer[]): Promise<number[]> =>
  Promise.all(workers.map((worker) => worker.metric('rivulet_fanout_inserts_total')))

export async function post({ api, workers, graph, tokens, processes }: Path, durationMs: number) {
  const random = createRandomU32(performance.now())
  const content = createContents(performance.now())
  let expected = 0
  const request = () => {
    const author = below(random, tokens.length)
    expected += graph.followers[author].length
    return postRequest(tokens[author], content())
  }
  const before = await insertsOf(workers)
  const endCpu = measureCpu(processes)
  const startMs = performance.now()
  const accepted = await load({ port: api.port, connections: CONNECTIONS, durationMs, request })
  const acceptedMs = performance.now()
  const inserts = await awaitInserts(workers, before, expected)
  const doneMs = performance.now()
  const figures: PostFigures = {
    ...accepted,
    inserts: inserts.reduce((sum, count) => sum + count, 0),
    insertsPerS: inserts.map((count) => (count * 1_000) / (doneMs - startMs)),
    drainS: (doneMs - acceptedMs) / 1_000,
    cpu: endCpu(),
  }
  return figures
}

/** Waits for the last insert. Every follower has a timeline, so each post is inserted once per follower. */
async function awaitInserts(workers: readonly BenchServer[], before: readonly number[], expected: number) {
  let last = -1
  let lastMs = performance.now()
  for (;;) {
    const now = await insertsOf(workers)
    const inserts = now.map((count, i) => count - before[i])
    const total = inserts.reduce((sum, count) => sum + count, 0)
    if (total >= expected) return inserts
    if (total > last) lastMs = performance.now()
    else if (performance.now() - lastMs > FAN_OUT_STALLS_MS)
      throw new Error(`fan-out stands still at ${total} of ${expected} inserts`)
    last = total
    await sleep(LOOK_MS)
  }
}

export function feedRequests({ tokens }: Path): () => Buffer {
  const random = createRandomU32(performance.now())
  const requests = tokens.map(feedRequest)
  return () => requests[below(random, requests.length)]
}

const BACKGROUND_POSTS_PER_S = 40
const PROBES = 2
const POLL_MS = 3
const PROBE_PAUSE_MS = 50
const INVISIBLE_MS = 20_000

/** Sorted. */
async function timeVisible(path: Path, durationMs: number): Promise<VisibleFigures> {
  const endMs = performance.now() + durationMs
  const figures = { delaysMs: [] as number[], acceptedMs: [] as number[] }
  const background = postEvenly(path, endMs)
  await Promise.all(Array.from({ length: PROBES }, (_, probe) => probeUntil(path, endMs, probe, figures)))
  const postsPerS = (await background) / (durationMs / 1_000)
  for (const list of Object.values(figures)) list.sort((a, b) => a - b)
  return { ...figures, postsPerS }
}

async function probeUntil(
  path: Path,
  endMs: number,
  probe: number,
  figures: { delaysMs: number[]; acceptedMs: number[] },
): Promise<void> {
  const { graph, tokens } = path
  const random = createRandomU32(probe + 1)
  while (performance.now() < endMs) {
    const author = below(random, tokens.length)
    const followers = graph.followers[author]
    const reader = tokens[followers[below(random, followers.length)]]
    const startMs = performance.now()
    const id = await sendPost(path, tokens[author])
    figures.acceptedMs.push(performance.now() - startMs)
    while (!(await feedIds(path, reader)).includes(id)) {
      if (performance.now() - startMs > INVISIBLE_MS) throw new Error(`post ${id} does not become visible`)
      await sleep(POLL_MS)
    }
    figures.delaysMs.push(performance.now() - startMs)
    await sleep(PROBE_PAUSE_MS)
  }
}

/** Sends posts at a steady rate, even if earlier ones have no answer yet. @returns how many */
async function postEvenly(path: Path, endMs: number): Promise<number> {
  const random = createRandomU32(3)
  const sending: Promise<unknown>[] = []
  while (performance.now() < endMs) {
    sending.push(sendPost(path, path.tokens[below(random, path.tokens.length)]))
    await sleep(1_000 / BACKGROUND_POSTS_PER_S)
  }
  await Promise.all(sending)
  return sending.length
}

const contents = createContents(5)

async function sendPost({ api }: Path, token: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${api.port}/api/v1/posts`, {
    method: 'POST',
    headers: { ...authorized(token), 'content-type': 'application/json' },
    body: JSON.stringify({ content: contents() }),
  })
  if (!answer.ok) throw new Error(`a post was answered with ${answer.status}`)
  return ((await answer.json()) as { id: string }).id
}

export async function feedIds({ api }: Pick<Path, 'api'>, token: string): Promise<string[]> {
  const answer = await fetch(`http://127.0.0.1:${api.port}/api/v1/feed?limit=20&fields=ids`, {
    headers: authorized(token),
  })
  if (!answer.ok) throw new Error(`a feed was answered with ${answer.status}`)
  const { posts } = (await answer.json()) as { posts: { id: string }[] }
  return posts.map(({ id }) => id)
}
