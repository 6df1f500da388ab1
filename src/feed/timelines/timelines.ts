/**
 * Keeps timelines whole: backfill after a follow, rebuild after a loss. Both are background work, bounded and
 * rate-limited; until they are done, reads pull what is missing.
 */

import { createQueue } from '../../engine/queue.ts'
import type { EngineContext } from '../../engine/engine.ts'
import {
  backfillsTable,
  edgeBucket,
  followId,
  withBackfilled,
  type Circle,
  type Graph,
} from '../../graph/index.ts'
import type { Entries } from '../../ports/views/views.ts'
import type { Candidate } from './pull.ts'
import type { Pulls } from './pulls.ts'
import { KIND } from '../tables.ts'

export interface Backfill {
  readonly follower: number
  readonly followee: number
  readonly followId: number
}

export interface Timelines {
  /** A follow happened: brings the followee's earlier posts into the follower's timeline. */
  backfill(job: Backfill): void
  /** What a crash or a full queue left unfilled is asked for again by whoever reads. */
  finish(circle: Circle): void
  /** A timeline is missing, behind, or mostly dead: makes it anew. */
  rebuild(owner: number): void
  /** Makes a timeline where there is none, behind what readers wait for. @returns whether it stands */
  ensure(owner: number): Promise<boolean>
  readonly stats: { backfills: number; rebuilds: number; failed: number }
  idle(): Promise<void>
  stop(): Promise<void>
}

const REBUILDS_PER_SECOND_MAX = 2_000
const BACKFILLS_PER_SECOND_MAX = 10_000
const JOBS_MAX = 50_000
const FINISHED_A_READ_MAX = 16
const JOBS_AT_ONCE = 2
/** Most of their time goes into waiting until what others have written is known here. */
const JOBS_AT_ONCE_SHARED = 32

export function createTimelines(context: EngineContext, graph: Graph, pulls: Pulls): Timelines {
  const { env, store, views } = context
  const stats = { backfills: 0, rebuilds: 0, failed: 0 }

  /**
   * The follow's row stands, so every later post is pushed (or marked); the earlier ones are read from the
   * outbox. One more than fits is merged: then the floor rises above whatever was left out.
   */
  async function runBackfill({ follower, followee, followId: id }: Backfill): Promise<void> {
    const patch = () => graph.circles.patch(follower, (circle) => withBackfilled(circle, followee, id))
    if (context.isShared && (await isBackfilled(follower, followee, id))) return patch()
    await context.caughtUp(followee)
    const page = await views.range(follower, Infinity, 1)
    // Without a header there is nothing to fill: a later rebuild reads this follow, too.
    if (page !== undefined) {
      const { epoch, floor } = page.header
      const slice = await pullWhole([followee], floor === Infinity ? 0 : floor + 1, views.capacity + 1)
      // All of them, those for the author alone, too: what does not fit must raise the floor.
      if (!(await views.merge(follower, epoch, toEntries(slice.candidates)))) return
    }
    await saveBackfilled(follower, [[followee, id]])
    patch()
    stats.backfills++
  }

  /** Another process may have done it, and this one has not heard. */
  async function isBackfilled(follower: number, followee: number, id: number): Promise<boolean> {
    const [row] = await store.get([backfillsTable.key(follower, followee)])
    return row !== undefined && backfillsTable.decode(row).followId === id
  }

  /** Header first, then the circle, then the outboxes: whatever is pushed meanwhile is kept, whatever was before is read. */
  async function runRebuild(owner: number): Promise<void> {
    // Should that take too long, the timeline that stands is not given up for it.
    await context.caughtUp()
    const [epoch] = await views.open([owner])
    await context.caughtUp()
    const circle = await graph.circles.of(owner)
    const slice = await pullWhole(circle.following, 0, views.capacity)
    const isPushed = ({ id, author, kind }: Candidate) =>
      (kind & KIND.self) === 0 && id > graph.marks.of(author, edgeBucket(owner, author))
    const entries = slice.candidates.filter(isPushed)
    if (!(await views.merge(owner, epoch, toEntries(entries)))) return
    await views.settle(owner, epoch, Math.max(0, slice.lower - 1))
    await finishBackfills(owner, circle)
    stats.rebuilds++
  }

  const pullWhole = (authors: ArrayLike<number>, atLeast: number, limit: number) =>
    pulls.inBackground({ authors, below: Infinity, atLeast, limit })

  /** A rebuilt timeline holds every followee's posts: none needs to be pulled any more. */
  async function finishBackfills(owner: number, circle: Circle): Promise<void> {
    const edges = Array.from(
      circle.unbackfilled,
      (followee) => [followee, followId(circle, followee) ?? 0] as const,
    )
    if (edges.length === 0) return
    await saveBackfilled(owner, edges)
    graph.circles.drop(owner)
  }

  /** The version is the follow's own id, so a newer follow's backfill wins. */
  async function saveBackfilled(
    follower: number,
    edges: readonly (readonly [number, number])[],
  ): Promise<void> {
    await store.write(
      edges.map(([followee, id]) =>
        backfillsTable.row(backfillsTable.key(follower, followee), id, { followId: id }),
      ),
    )
  }

  const queue = <J>(run: (job: J) => Promise<void>, jobsPerSecondMax: number) =>
    createQueue<J>({
      env,
      run,
      concurrency: context.isShared ? JOBS_AT_ONCE_SHARED : JOBS_AT_ONCE,
      jobsMax: JOBS_MAX,
      jobsPerSecondMax,
      // Nothing is lost: an unfilled edge is pulled, a missing timeline asks again at the next read.
      onError: () => void stats.failed++,
    })
  const backfills = queue(runBackfill, BACKFILLS_PER_SECOND_MAX)
  const rebuilds = queue(runRebuild, REBUILDS_PER_SECOND_MAX)

  const backfill = (job: Backfill) =>
    void backfills.add(`${job.follower}:${job.followee}:${job.followId}`, job)

  return {
    stats,
    backfill,
    finish(circle) {
      for (const followee of circle.unbackfilled.subarray(0, FINISHED_A_READ_MAX)) {
        backfill({ follower: circle.number, followee, followId: followId(circle, followee) ?? 0 })
      }
    },
    rebuild: (owner) => void rebuilds.add(owner, owner),
    async ensure(owner) {
      const isThere = async () => (await views.range(owner, Infinity, 1)) !== undefined
      if (await isThere()) return true
      rebuilds.add(owner, owner)
      await rebuilds.ended(owner)
      return isThere()
    },
    async idle() {
      await backfills.idle()
      await rebuilds.idle()
    },
    async stop() {
      await backfills.stop()
      await rebuilds.stop()
    },
  }
}

function toEntries(candidates: readonly Candidate[]): Entries {
  const { length } = candidates
  const [ids, authors, kinds] = [new Float64Array(length), new Uint32Array(length), new Uint16Array(length)]
  for (let i = 0; i < length; i++) {
    const { id, author, kind } = candidates[i]
    ids[i] = id
    authors[i] = author
    kinds[i] = kind
  }
  return {
    length,
    ids,
    authors,
    kinds,
  }
}
