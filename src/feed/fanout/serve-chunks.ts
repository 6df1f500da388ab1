/** Serves chunks of a large fan-out: reads their followers, evicts inactive ones, inserts for those of the lane. */

import type { FeedContext } from '../context.ts'
import type { Graph } from '../../graph/index.ts'
import { isDone, setDone, type OpenPlan } from '../open-plan.ts'
import { REST_LANE, selectLane } from './lanes.ts'
import type { FanoutStats } from './stats.ts'
import type { Turn } from './turns.ts'

/** How long chunks run between two pauses, so that requests get their share of the time. */
const WORK_MS = 2

/** @returns a function that serves a turn; called again after a failure, it serves only the chunks that are left */
export function createChunkServer(context: FeedContext, graph: Graph, stats: FanoutStats) {
  const { env, views } = context

  async function serveChunk(of: OpenPlan, lane: number, chunk: number, numbers: Uint32Array): Promise<void> {
    const { plan, receipt } = of
    const { owners, inactive, reached } = selectLane(graph.activity, of, lane, numbers)
    // An evicted timeline is rebuilt when its reader returns; one that was only skipped would lack this post for good.
    if (inactive.length > 0) await views.evict(inactive)
    const { inserted } = await views.insert([{ id: plan.post, ref: plan.author, kind: plan.kind, owners }])
    stats.inserts += inserted
    stats.chunks++
    stats.skippedInactive += inactive.length
    receipt.lanes[lane] += reached
    receipt.done = Math.max(receipt.lanes[0] + receipt.lanes[1], receipt.lanes[REST_LANE])
    receipt.skippedInactive += inactive.length
    setDone(of, lane, chunk)
  }

  return async ({ of, lane, chunks: turn }: Turn): Promise<void> => {
    const { author, chunks } = of.plan
    const left = turn.filter((chunk) => !isDone(of, lane, chunk))
    const lists = await graph.reads.followersIn(left.map((chunk) => ({ followee: author, ...chunks[chunk] })))
    let sinceMs = env.monotonicMs()
    for (let i = 0; i < left.length; i++) {
      await serveChunk(of, lane, left[i], lists[i])
      if (i < left.length - 1 && env.monotonicMs() - sinceMs < WORK_MS) continue
      await env.yield()
      sinceMs = env.monotonicMs()
    }
  }
}
