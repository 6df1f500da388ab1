/**
 * Fan-out on write. Audiences of up to 10,000 followers are served at once, with the batch of events that they came
 * in (`fanout/direct.ts`). A larger one becomes a plan: chunks of at most 1,000 followers by fixed key ranges, which
 * run lane by lane in the background (`fanout/chunks.ts`) and go on after a crash. A post that is not pushed to every
 * follower raises its author's mark first, so that the others pull it.
 */

import { LIMITS } from '../core/limits.ts'
import type { FeedContext } from './context.ts'
import type { Graph } from '../graph/index.ts'
import { sizeOf, type Outgoing, type Posted } from './fanout/audience.ts'
import { createChunkRunner, type ChunkRunner } from './fanout/chunks.ts'
import { createDirect } from './fanout/direct.ts'
import { createPlans } from './fanout/plans.ts'
import { createMarkRaiser } from './fanout/raise-marks.ts'
import { receiptRow, writeReceipts } from './fanout/receipts.ts'
import { createFanoutStats, type FanoutStats } from './fanout/stats.ts'
import { KIND, kindOf } from './tables.ts'

export interface Fanout {
  /** In log order; resolves when ordinary audiences are served and large ones are durably planned. */
  take(events: readonly Posted[]): Promise<void>
  readonly runner: ChunkRunner
  readonly stats: FanoutStats
}

export function createFanout(context: FeedContext, graph: Graph): Fanout {
  const { env, horizon } = context
  const stats = createFanoutStats(env)
  const direct = createDirect(context, graph, stats)
  const runner = createChunkRunner(context, graph, stats)
  const raiseMarks = createMarkRaiser(context, graph)
  const plansOf = createPlans(context, graph)

  async function take(events: readonly Posted[]): Promise<void> {
    const posts = await outgoing(events.filter(({ body }) => (kindOf(body) & KIND.self) === 0))
    if (posts.length === 0) return
    await raiseMarks(posts)
    const [pulled, ordinary, large]: Outgoing[][] = [[], [], []]
    for (const post of posts) (post.share === 0 ? pulled : isOrdinary(post) ? ordinary : large).push(post)
    const receipts = pulled.map((post) => receiptRow(post, NOBODY, env.wallMs()))
    receipts.push(...(await direct.serve(ordinary)))
    await writeReceipts(context, receipts, posts)
    stats.posts += posts.length
    for (const { event } of pulled) stats.arrived(event.id)
    for (const { event } of ordinary) stats.arrived(event.id)
    for (const plan of await plansOf(large)) {
      horizon.opened(plan.post, plan.author)
      await runner.add(plan).catch((error: unknown) => {
        // The worker retries the whole batch. By then the audience may be small enough to need no plan, and nobody
        // would close this one: the horizon must not wait for it.
        horizon.closed(plan.post, plan.author)
        throw error
      })
    }
  }

  async function outgoing(events: readonly Posted[]): Promise<Outgoing[]> {
    if (events.length === 0) return []
    const audiences = await graph.reads.audiences(events.map(({ body }) => body.author))
    return events.map((event, i) => {
      const audience = audiences[i]
      return { event, audience, share: graph.policies.shareOf(event.body.author, sizeOf(audience)) }
    })
  }

  return { take, runner, stats }
}

const NOBODY = { owners: 0, active: 0, inactive: 0 }

const isOrdinary = ({ audience }: Outgoing): boolean => sizeOf(audience) <= LIMITS.directFollowersMax
