/** Backfill: after a follow, brings the followee's earlier posts into the follower's timeline. */

import type { FeedContext } from '../context.ts'
import { backfillsTable, withBackfilled, type Graph } from '../../graph/index.ts'
import type { Store } from '../../ports/store/store.ts'
import { toEntries } from './entries.ts'
import type { Pulls } from './pulls.ts'

export interface Backfill {
  readonly follower: number
  readonly followee: number
  readonly followId: number
}

/** @returns a function that backfills one follow */
export function createBackfill(
  { store, views, isShared, caughtUp }: FeedContext,
  graph: Graph,
  pulls: Pulls,
  stats: { backfills: number },
) {
  /** Another process may have done it, and this one's cached circle not know of it yet. */
  async function isBackfilled({ follower, followee, followId }: Backfill): Promise<boolean> {
    const [row] = await store.get([backfillsTable.key(follower, followee)])
    return row !== undefined && backfillsTable.decode(row).followId === followId
  }

  /**
   * The follow's row is stored, so every later post is pushed, or marked; the earlier ones are read from the outbox.
   * One more than the timeline holds is merged, so that the floor rises above whatever does not fit.
   */
  return async (job: Backfill): Promise<void> => {
    const { follower, followee, followId: id } = job
    const patch = () => graph.circles.patch(follower, (circle) => withBackfilled(circle, followee, id))
    if (isShared && (await isBackfilled(job))) return patch()
    await caughtUp(followee)
    const page = await views.range(follower, Infinity, 1)
    // Without a timeline there is nothing to fill: the rebuild that makes one reads this followee, too.
    if (page !== undefined) {
      const { epoch, floor } = page.header
      const atLeast = floor === Infinity ? 0 : floor + 1
      const limit = views.capacity + 1
      const slice = await pulls.inBackground({ authors: [followee], below: Infinity, atLeast, limit })
      // Also posts that only their author sees: one of these that does not fit must raise the floor as well.
      if (!(await views.merge(follower, epoch, toEntries(slice.candidates)))) return
    }
    await saveBackfilled(store, follower, [[followee, id]])
    patch()
    stats.backfills++
  }
}

/**
 * Saves that follows are backfilled.
 *
 * @param edges followee and id of the follow, which is also the row's version: a newer follow's backfill wins
 */
export async function saveBackfilled(
  store: Store,
  follower: number,
  edges: readonly (readonly [number, number])[],
): Promise<void> {
  await store.write(
    edges.map(([followee, id]) =>
      backfillsTable.row(backfillsTable.key(follower, followee), id, { followId: id }),
    ),
  )
}
