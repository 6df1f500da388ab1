/**
 * Fan-out on write. Ordinary audiences are served at once, with the batch they came in (`direct.ts`). Larger
 * ones become a plan: chunks of at most 1,000 followers by fixed key ranges, run lane by lane in the background
 * (`chunks.ts`), which survives a crash chunk by chunk. What is not pushed to everybody raises a mark first.
 */

import { LIMITS } from '../core/limits.ts'
import { DELAY_BOUNDS_MS, Histogram } from '../core/histogram.ts'
import { idTimeMs } from '../core/ids.ts'
import type { EngineContext } from '../engine/engine.ts'
import { graphEvents, SHARES, type Graph, type MarkRaise } from '../graph/index.ts'
import type { RowWrite } from '../ports/store/store.ts'
import { rangesOf, sizeOf, type Outgoing, type Posted } from './fanout/audience.ts'
import { createChunkRunner, type ChunkRunner } from './fanout/chunks.ts'
import { createDirect, receiptRow } from './fanout/direct.ts'
import { KIND, kindOf, openPlansTable, plansTable, type Plan } from './tables.ts'

export interface Fanout {
  /** In log order; resolves when ordinary audiences are served and large ones are durably planned. */
  take(events: readonly Posted[]): Promise<void>
  readonly runner: ChunkRunner
  readonly stats: FanoutStats
}

export interface FanoutStats {
  posts: number
  inserts: number
  skippedInactive: number
  chunks: number
  /** From accepted to visible for all readers. */
  readonly visible: Histogram
  /** A post is where it belongs. One from before this process was so once already. */
  arrived(post: number): void
}

export function createFanout(context: EngineContext, graph: Graph): Fanout {
  const { env, store, horizon } = context
  const { policies, activity, marks } = graph
  const startedMs = env.wallMs()
  const stats: FanoutStats = {
    posts: 0,
    inserts: 0,
    skippedInactive: 0,
    chunks: 0,
    visible: new Histogram(DELAY_BOUNDS_MS),
    arrived(post) {
      const acceptedMs = idTimeMs(post)
      if (acceptedMs >= startedMs) stats.visible.observe(Math.max(0, env.wallMs() - acceptedMs))
    },
  }
  const direct = createDirect(context, graph, stats)
  const runner = createChunkRunner(context, graph, stats)

  async function take(events: readonly Posted[]): Promise<void> {
    const posts = await outgoing(events.filter(({ body }) => (kindOf(body) & KIND.self) === 0))
    if (posts.length === 0) return
    await raiseMarks(posts)
    const [pulled, ordinary, large]: Outgoing[][] = [[], [], []]
    for (const post of posts) (post.share === 0 ? pulled : isOrdinary(post) ? ordinary : large).push(post)
    const receipts = pulled.map((post) => receiptRow(post, NOBODY, env.wallMs()))
    receipts.push(...(await direct.serve(ordinary)))
    await writeReceipts(receipts, posts)
    stats.posts += posts.length
    for (const { event } of pulled) stats.arrived(event.id)
    for (const { event } of ordinary) stats.arrived(event.id)
    for (const plan of await plansOf(large)) {
      horizon.opened(plan.post, plan.author)
      await runner.add(plan).catch((error: unknown) => {
        // Tried again with the batch, when its audience may need no plan any more.
        horizon.closed(plan.post, plan.author)
        throw error
      })
    }
  }

  /** A receipt that stands tells how it was; a replay of the post would tell how it would be now. */
  async function writeReceipts(receipts: readonly RowWrite[], posts: readonly Outgoing[]): Promise<void> {
    const isReplay = posts.some(({ event }) => context.isReplayed(event))
    const standing = isReplay ? await store.get(receipts) : []
    const fresh = receipts.filter((_, i) => standing[i] === undefined)
    if (fresh.length > 0) await store.write(fresh)
  }

  async function outgoing(events: readonly Posted[]): Promise<Outgoing[]> {
    if (events.length === 0) return []
    const audiences = await graph.reads.audiences(events.map(({ body }) => body.author))
    return events.map((event, i) => {
      const audience = audiences[i]
      return { event, audience, share: policies.shareOf(event.body.author, sizeOf(audience)) }
    })
  }

  /** Durable before anyone is skipped: from here on readers know to pull. */
  async function raiseMarks(posts: readonly Outgoing[]): Promise<void> {
    const raises = posts.flatMap(({ event, share: pushed }) => {
      // A timeline may have been rebuilt without what was pulled then: it stays pulled.
      const share = context.mayHaveBeenOtherwise(event) ? 0 : pushed
      const { id: postId, version, body } = event
      return share < SHARES ? [{ author: body.author, share, postId, version }] : []
    })
    await marks.raise(raises)
    if (context.isShared) await tellOthers(raises)
  }

  /** Each in the partition of its post, where the horizon that passes the post stands behind it. */
  async function tellOthers(raises: readonly MarkRaise[]): Promise<void> {
    const byPartition = new Map<number, MarkRaise[]>()
    for (const raise of raises) {
      const partition = context.partitionOf(raise.author)
      const list = byPartition.get(partition)
      if (list === undefined) byPartition.set(partition, [raise])
      else list.push(raise)
    }
    const told = [...byPartition.values()].map((some) =>
      context.tell(graphEvents.marksRaised, some[0].author, { raises: some }),
    )
    await Promise.all(told)
  }

  /** A plan is made once: what is done of it is told by the chunks it named then. */
  async function plansOf(posts: readonly Outgoing[]): Promise<Plan[]> {
    if (posts.length === 0) return []
    const known = await store.get(posts.map(({ event }) => plansTable.key(event.id)))
    const plans = posts.map((post, i) => {
      const row = known[i]
      return row === undefined ? newPlan(post) : plansTable.decode(row)
    })
    const fresh = plans.filter((_, i) => known[i] === undefined)
    const rows = fresh.flatMap((plan) => [
      plansTable.row(plansTable.key(plan.post), plan.version, plan),
      openPlansTable.row(openPlansTable.key(plan.post), plan.version, { post: plan.post, open: true }),
    ])
    if (rows.length > 0) await store.write(rows)
    return plans
  }

  const newPlan = ({ event, audience, share }: Outgoing): Plan => ({
    post: event.id,
    author: event.body.author,
    kind: kindOf(event.body),
    share,
    chunks: audience.flatMap(rangesOf),
    version: event.version,
    activeFromMinute: activity.minuteAgo(policies.current.active_hours * 3_600_000),
    inactiveBeforeMinute: activity.minuteAgo(policies.current.inactive_days * 86_400_000),
  })

  return { take, runner, stats }
}

const NOBODY = { owners: 0, active: 0, inactive: 0 }

const isOrdinary = ({ audience }: Outgoing): boolean => sizeOf(audience) <= LIMITS.directFollowersMax
