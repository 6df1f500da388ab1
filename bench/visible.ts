/**
 * Measures the time from a post's acceptance until it is in every follower's timeline, for authors with 200, 10,000 and
 * 1,000,000 followers (all pushed), while other authors keep posting.
 */

import { createRandomU32, type Graph } from './graph.ts'
import { type Bench, type BenchContext, type BenchResult, summarize } from './harness.ts'
import { numberOf, openEngineWorld, type EngineWorld } from './engine-world.ts'

const BACKGROUND_AUTHORS = 1_000
const BACKGROUND_PER_S = 500
const EVERYBODY = 1_000_000_000

export const visible: Bench = {
  name: 'visible',
  describe:
    'milliseconds from post to visible to all, under load (goal: p99 below 5 s at any size, 200 ms below the threshold)',
  run,
}

async function run({ quick, report }: BenchContext): Promise<BenchResult> {
  const sizes = quick ? [200, 10_000, 200_000] : [200, 10_000, 1_000_000]
  const world = await openEngineWorld(audiences(sizes))
  try {
    await world.rivulet.graph.commands.setPolicy({ push_threshold_followers: EVERYBODY })
    const rows = [['followers', 'posts', 'p50 ms', 'p99 ms', 'max ms']]
    let last = 0
    const load = background(world, sizes.length)
    for (const [author, size] of sizes.entries()) {
      const posts = size > 100_000 ? (quick ? 5 : 11) : quick ? 50 : 200
      const delaysMs = await measure(world, numberOf(author), posts)
      const p99 = delaysMs[Math.floor((delaysMs.length - 1) * 0.99)]
      rows.push([
        `${size}`,
        `${posts}`,
        summarize(delaysMs).median.toFixed(1),
        p99.toFixed(1),
        delaysMs.at(-1)!.toFixed(1),
      ])
      last = p99
      report.progress(`  ${size} followers: p99 ${p99.toFixed(1)} ms`)
    }
    const loadPerS = await load.stop()
    report.table(rows)
    report.line(`background: ${loadPerS.toFixed(0)} posts/s by authors of 50 followers`)
    return { ours: last, reference: null, ratio: null, unit: 'ms p99 of the largest', runs: 1 }
  } finally {
    await world.close()
  }
}

/** The first accounts have the given numbers of followers, and the next thousand have 50 followers each. */
function audiences(sizes: readonly number[]): Graph {
  const accounts = Math.max(...sizes) + sizes.length + BACKGROUND_AUTHORS
  const counts = [...sizes, ...new Array<number>(BACKGROUND_AUTHORS).fill(50)]
  const starts = new Uint32Array(accounts + 1)
  for (let a = 0; a < accounts; a++) starts[a + 1] = starts[a] + (counts[a] ?? 0)
  const followers = new Uint32Array(starts[accounts])
  const random = createRandomU32(9)
  for (let a = 0; a < counts.length; a++) {
    const shift = random() % accounts
    for (let i = 0; i < counts[a]; i++) followers[starts[a] + i] = (shift + i) % accounts
  }
  return { name: 'audiences', accounts, edges: followers.length, starts, followers }
}

function background({ rivulet }: EngineWorld, firstAuthor: number) {
  let running = true
  let count = 0
  const startMs = performance.now()
  const loop = (async () => {
    while (running) {
      const due = ((performance.now() - startMs) / 1_000) * BACKGROUND_PER_S
      const posts: Promise<unknown>[] = []
      for (; count < due; count++) {
        posts.push(
          rivulet.feed.commands.post(numberOf(firstAuthor + (count % BACKGROUND_AUTHORS)), { content: 'x' }),
        )
      }
      await Promise.all(posts)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })()
  return {
    async stop() {
      running = false
      await loop
      return count / ((performance.now() - startMs) / 1_000)
    },
  }
}

/** A post is visible when its receipt says that the fan-out is done. @returns the times, sorted */
async function measure({ rivulet }: EngineWorld, author: number, posts: number): Promise<number[]> {
  const delaysMs: number[] = []
  for (let i = 0; i < posts; i++) {
    const startMs = performance.now()
    const { id } = await rivulet.feed.commands.post(author, { content: 'x' })
    for (;;) {
      const receipt = await rivulet.feed.reads.receipt(id)
      if (receipt !== undefined && receipt.doneAtMs > 0) break
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    delaysMs.push(performance.now() - startMs)
  }
  return delaysMs.sort((a, b) => a - b)
}
