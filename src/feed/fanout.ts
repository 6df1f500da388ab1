/**
 * Fan-out on write, in two stages: a post becomes a plan, a plan becomes view inserts. Audiences of one chunk
 * go out at once, with the batch they came in. Larger ones are named as chunks of at most 1,000 followers by
 * fixed key ranges, run lane by lane in the background, and survive a crash chunk by chunk.
 */

import { LIMITS } from '../core/limits.ts'
import { DELAY_BOUNDS_MS, Histogram } from '../core/histogram.ts'
import { idTimeMs } from '../core/ids.ts'
import type { EngineContext } from '../engine/engine.ts'
import type { Event } from '../engine/events.ts'
import { SHARES, edgeBucket, isDirectory, type AudienceBucket, type Graph } from '../graph/index.ts'
import type { Spread } from '../ports/views/views.ts'
import type { RowWrite } from '../ports/store/store.ts'
import type { posted } from './events.ts'
import { createChunkRunner, type ChunkRunner } from './chunks.ts'
import { KIND, kindOf, openPlansTable, plansTable, receiptsTable, type Plan, type Receipt } from './tables.ts'

type Posted = Event<Parameters<typeof posted.body.write>[1]>

/** View inserts between two pauses for other work. */
const INSERTS_A_TURN = 1_000

export interface Fanout {
  /** In log order; resolves when small audiences are served and large ones are durably planned. */
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

/** Whom a list of followers splits into. `owners` are to be served, `inactive` to be evicted and skipped. */
interface Selection {
  readonly owners: Uint32Array
  readonly inactive: Uint32Array
  /** Of the owners: seen lately. */
  readonly active: number
}

export function createFanout(context: EngineContext, graph: Graph): Fanout {
  const { env, store, views, horizon } = context
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
  const runner = createChunkRunner(context, graph, stats)

  async function take(events: readonly Posted[]): Promise<void> {
    const posts = events.filter(({ body }) => (kindOf(body) & KIND.self) === 0)
    if (posts.length === 0) return
    const audiences = await graph.reads.audiences(posts.map(({ body }) => body.author))
    const counts = audiences.map(sizeOf)
    const shares = posts.map(({ body }, i) => policies.shareOf(body.author, counts[i]))
    await raiseMarks(posts, shares)
    const planned = await knownPlans(posts.filter((_, i) => shares[i] > 0 && !isSmall(audiences[i])))
    const rows: RowWrite[] = []
    const small: Spread[] = []
    const large: Plan[] = []
    const inactive: Uint32Array[] = []
    posts.forEach((event, i) => {
      if (shares[i] === 0) rows.push(receiptRow(event, 0, NOBODY))
      else if (isSmall(audiences[i])) {
        const selection = select(numbersOf(audiences[i]), event.body.author, shares[i])
        rows.push(receiptRow(event, shares[i], selection))
        small.push({
          id: event.id,
          author: event.body.author,
          kind: kindOf(event.body),
          owners: selection.owners,
        })
        if (selection.inactive.length > 0) inactive.push(selection.inactive)
      } else large.push(planned.get(event.id) ?? newPlan(event, shares[i], audiences[i], rows))
    })
    // An evicted timeline is rebuilt when its reader returns; one that is only skipped would have a hole.
    for (const numbers of inactive) await views.evict(numbers)
    await insertInTurns(small)
    if (rows.length > 0) await store.write(rows)
    stats.posts += posts.length
    stats.skippedInactive += inactive.reduce((sum, numbers) => sum + numbers.length, 0)
    const isLarge = new Set(large.map(({ post }) => post))
    for (const { id } of posts) if (!isLarge.has(id)) stats.arrived(id)
    for (const plan of large) {
      horizon.opened(plan.post)
      await runner.add(plan)
    }
  }

  /** Durable before anyone is skipped: from here on readers know to pull. */
  const raiseMarks = (posts: readonly Posted[], shares: readonly number[]) =>
    marks.raise(
      posts.flatMap((event, i) => {
        // A timeline may have been rebuilt without what was pulled then: it stays pulled.
        const share = context.mayHaveBeenOtherwise(event) ? 0 : shares[i]
        const { id: postId, version, body } = event
        return share < SHARES ? [{ author: body.author, share, postId, version }] : []
      }),
    )

  async function insertInTurns(spreads: readonly Spread[]): Promise<void> {
    let owners = 0
    let from = 0
    for (let i = 0; i < spreads.length; i++) {
      owners += spreads[i].owners.length
      if (owners < INSERTS_A_TURN && i < spreads.length - 1) continue
      const { inserted } = await views.insert(spreads.slice(from, i + 1))
      stats.inserts += inserted
      from = i + 1
      if (owners >= INSERTS_A_TURN) await env.yield()
      owners = 0
    }
  }

  function select(numbers: Uint32Array, author: number, share: number): Selection {
    const inactiveBefore = activity.minuteAgo(policies.current.inactive_days * 86_400_000)
    const activeFrom = activity.minuteAgo(policies.current.active_hours * 3_600_000)
    const owners = new Uint32Array(numbers.length)
    const inactive = new Uint32Array(numbers.length)
    let kept = 0
    let skipped = 0
    let active = 0
    for (let i = 0; i < numbers.length; i++) {
      const number = numbers[i]
      if (share < SHARES && edgeBucket(number, author) >= share) continue
      if (activity.seenBefore(number, inactiveBefore)) {
        inactive[skipped++] = number
        continue
      }
      owners[kept++] = number
      if (!activity.seenBefore(number, activeFrom)) active++
    }
    return { owners: owners.subarray(0, kept), inactive: inactive.subarray(0, skipped), active }
  }

  function receiptRow(event: Posted, share: number, { owners, inactive, active }: Selection): RowWrite {
    const receipt: Receipt = {
      post: event.id,
      author: event.body.author,
      tier: share === 0 ? 1 : 0,
      share,
      planned: owners.length + inactive.length,
      done: owners.length,
      skippedInactive: inactive.length,
      lanes: [0, active, owners.length - active],
      doneAtMs: Math.max(env.wallMs(), idTimeMs(event.id)),
      doneChunks: [],
      fingerprint: 0,
    }
    return receiptsTable.row(receiptsTable.key(event.id), event.version, receipt)
  }

  /** A plan is made once: what is done of it is told by the chunks it named then. */
  async function knownPlans(posts: readonly Posted[]): Promise<Map<number, Plan>> {
    const rows = posts.length > 0 ? await store.get(posts.map(({ id }) => plansTable.key(id))) : []
    const plans = rows.flatMap((row) => (row === undefined ? [] : [plansTable.decode(row)]))
    return new Map(plans.map((plan) => [plan.post, plan]))
  }

  function newPlan(
    event: Posted,
    share: number,
    audience: readonly AudienceBucket[],
    rows: RowWrite[],
  ): Plan {
    const plan: Plan = {
      post: event.id,
      author: event.body.author,
      kind: kindOf(event.body),
      share,
      chunks: audience.flatMap(chunksOf),
      version: event.version,
      postedMinute: Math.floor(idTimeMs(event.id) / 60_000),
      activeFromMinute: activity.minuteAgo(policies.current.active_hours * 3_600_000),
      inactiveBeforeMinute: activity.minuteAgo(policies.current.inactive_days * 86_400_000),
    }
    rows.push(
      plansTable.row(plansTable.key(plan.post), plan.version, plan),
      openPlansTable.row(openPlansTable.key(plan.post), plan.version, { post: plan.post, open: true }),
    )
    return plan
  }

  return { take, runner, stats }
}

const NO_NUMBERS = new Uint32Array(0)
const NOBODY: Selection = { owners: NO_NUMBERS, inactive: NO_NUMBERS, active: 0 }

/** What fits into one chunk goes out at once, whichever buckets it lies in. */
const isSmall = (audience: readonly AudienceBucket[]): boolean =>
  audience.every(({ head }) => !isDirectory(head)) && sizeOf(audience) <= LIMITS.chunkFollowersMax

const sizeOf = (audience: readonly AudienceBucket[]): number =>
  audience.reduce((sum, { head }) => sum + head.count, 0)

function numbersOf(audience: readonly AudienceBucket[]): Uint32Array {
  if (audience.length === 1) return audience[0].head.numbers
  const numbers = new Uint32Array(sizeOf(audience))
  let at = 0
  for (const { head } of audience) {
    numbers.set(head.numbers, at)
    at += head.numbers.length
  }
  return numbers
}

const BUCKET_END = 2 ** 32

function chunksOf({ bucket, head }: AudienceBucket): Plan['chunks'][number][] {
  if (!isDirectory(head)) return [{ bucket, from: 0, to: BUCKET_END }]
  const starts = [...head.leafStarts]
  return starts.map((from, i) => ({ bucket, from, to: starts[i + 1] ?? BUCKET_END }))
}
