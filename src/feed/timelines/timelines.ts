/**
 * Keeps timelines whole: backfill after a follow, rebuild after a loss. Both are background jobs in bounded queues
 * with a limit on their rate. Until a job is done, reads pull what the timeline lacks; a job that fails or finds its
 * queue full is asked for again by the next read.
 */

import { createQueue } from '../../engine/queue.ts'
import type { FeedContext } from '../context.ts'
import { followId, type Circle, type Graph } from '../../graph/index.ts'
import { createBackfill, type Backfill } from './backfill.ts'
import type { Pulls } from './pulls.ts'
import { createRebuild } from './rebuild.ts'

export type { Backfill }

export interface Timelines {
  /** A follow happened: queues the backfill. */
  backfill(job: Backfill): void
  /** A read found follows that are not backfilled: queues their backfills again, at most 16 a read. */
  finish(circle: Circle): void
  /** A timeline is missing, behind the horizon, or mostly dead: queues its rebuild. */
  rebuild(owner: number): void
  /** Rebuilds a timeline if there is none. Resolves once that was tried, to whether there is one now. */
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
/** With several processes, a job spends most of its time waiting until this one has caught up with the others. */
const JOBS_AT_ONCE_SHARED = 32

export function createTimelines(context: FeedContext, graph: Graph, pulls: Pulls): Timelines {
  const { env, views } = context
  const stats = { backfills: 0, rebuilds: 0, failed: 0 }

  const queue = <J>(run: (job: J) => Promise<void>, jobsPerSecondMax: number) =>
    createQueue<J>({
      env,
      run,
      concurrency: context.isShared ? JOBS_AT_ONCE_SHARED : JOBS_AT_ONCE,
      jobsMax: JOBS_MAX,
      jobsPerSecondMax,
      onError: () => void stats.failed++,
    })
  const backfills = queue(createBackfill(context, graph, pulls, stats), BACKFILLS_PER_SECOND_MAX)
  const rebuilds = queue(createRebuild(context, graph, pulls, stats), REBUILDS_PER_SECOND_MAX)

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
