/** Serves chunks of a large fan-out: reads their members, skips whom the lane skips, and serves those of the lane. */

import type { Env } from '../../ports/env/env.ts'
import type { FanoutDefinition } from './definition.ts'
import { isDone, servedBefore, setDone, type OpenPlan } from './open-plan.ts'
import type { FanoutStats } from './stats.ts'
import type { Turn } from './turns.ts'

/** How long chunks run between two pauses, so that requests get their share of the time. */
const WORK_MS = 2

/** @returns a function that serves a turn; called again after a failure, it serves only the chunks that are left */
export function createChunkServer<F>(env: Env, definition: FanoutDefinition<any, F>, stats: FanoutStats) {
  const last = definition.lanes.names.length - 1

  async function serveChunk(
    of: OpenPlan<F>,
    lane: number,
    chunk: number,
    members: Uint32Array,
  ): Promise<void> {
    const { plan, receipt } = of
    const { owners, skipped, reached } = of.selection.select(lane, members)
    if (skipped.length > 0) await definition.skip?.(skipped)
    stats.served += await definition.serve([{ id: plan.id, ref: plan.key, kind: plan.kind, owners }])
    stats.chunks++
    stats.skipped += skipped.length
    receipt.lanes[lane] += reached
    receipt.done = Math.max(servedBefore(receipt.lanes), receipt.lanes[last])
    receipt.skipped += skipped.length
    setDone(of, lane, chunk)
  }

  return async ({ of, lane, chunks: turn }: Turn<F>): Promise<void> => {
    const { key, chunks } = of.plan
    const left = turn.filter((chunk) => !isDone(of, lane, chunk))
    const lists = await definition.audience.membersIn(left.map((chunk) => ({ key, ...chunks[chunk] })))
    let sinceMs = env.monotonicMs()
    for (let i = 0; i < left.length; i++) {
      await serveChunk(of, lane, left[i], lists[i])
      if (i < left.length - 1 && env.monotonicMs() - sinceMs < WORK_MS) continue
      await env.yield()
      sinceMs = env.monotonicMs()
    }
  }
}
