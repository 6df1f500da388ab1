/** Rebuild: makes a timeline anew from the outboxes of everybody that its owner follows. */

import type { FeedContext } from '../context.ts'
import { edgeBucket } from '../../engine/fanout/policy.ts'
import { followId, type Circle, type Graph } from '../../graph/index.ts'
import { KIND } from '../tables.ts'
import { saveBackfilled } from './backfill.ts'
import { toEntries } from './entries.ts'
import type { Candidate } from './pull.ts'
import type { Pulls } from './pulls.ts'

/** @returns a function that rebuilds the timeline of one owner */
export function createRebuild(context: FeedContext, graph: Graph, pulls: Pulls, stats: { rebuilds: number }) {
  const { store, views } = context

  const pullWhole = (authors: ArrayLike<number>, limit: number) =>
    pulls.inBackground({ authors, below: Infinity, atLeast: 0, limit })

  /** A rebuilt timeline holds every followee's posts: none needs to be pulled any more. */
  async function finishBackfills(owner: number, circle: Circle): Promise<void> {
    const edges = Array.from(
      circle.unbackfilled,
      (followee) => [followee, followId(circle, followee) ?? 0] as const,
    )
    if (edges.length === 0) return
    await saveBackfilled(store, owner, edges)
    graph.circles.drop(owner)
  }

  /**
   * First the header, then the circle, then the outboxes: posts that are pushed meanwhile find the header and stay,
   * earlier ones are in the outboxes.
   */
  return async (owner: number): Promise<void> => {
    // Before the header, too: if it takes too long and rejects, the timeline of before is still there.
    await context.caughtUp()
    const [epoch] = await views.open([owner])
    await context.caughtUp()
    const circle = await graph.circles.of(owner)
    const slice = await pullWhole(circle.following, views.capacity)
    const isPushed = ({ id, author, kind }: Candidate) =>
      (kind & KIND.self) === 0 && id > graph.marks.of(author, edgeBucket(owner, author))
    const entries = slice.candidates.filter(isPushed)
    if (!(await views.merge(owner, epoch, toEntries(entries)))) return
    await views.settle(owner, epoch, Math.max(0, slice.lower - 1))
    await finishBackfills(owner, circle)
    stats.rebuilds++
  }
}
