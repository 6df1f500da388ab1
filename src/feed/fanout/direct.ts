/**
 * Fan-out of ordinary audiences: read, split into those to serve and those long away, and inserted with the
 * batch they came in, in log order. Repeated as a whole after a crash, which changes nothing.
 */

import { idTimeMs } from '../../core/ids.ts'
import type { EngineContext } from '../../engine/engine.ts'
import { SHARES, edgeBucket, type Graph } from '../../graph/index.ts'
import type { RowWrite } from '../../ports/store/store.ts'
import type { Spread } from '../../ports/views/views.ts'
import { followersOf, sizeOf, type Outgoing } from './audience.ts'
import type { FanoutStats } from '../fanout.ts'
import { kindOf, receiptsTable, type Receipt } from '../tables.ts'

/** View inserts, or evictions, between two pauses for other work. */
const VIEWS_A_TURN = 1_000
/** Followers, about, that are read and looked at in one go. */
const SLICE_FOLLOWERS = 20_000

/** How many of an audience went which way. */
interface Counts {
  owners: number
  /** Of the owners: seen lately. */
  active: number
  inactive: number
}

export interface Direct {
  /** @returns receipts, to be written */
  serve(posts: readonly Outgoing[]): Promise<RowWrite[]>
}

export function createDirect(context: EngineContext, graph: Graph, stats: FanoutStats): Direct {
  const { env, views } = context
  const { policies, activity } = graph

  async function serve(posts: readonly Outgoing[]): Promise<RowWrite[]> {
    const receipts: RowWrite[] = []
    for (const slice of slicesOf(posts)) receipts.push(...(await serveSlice(slice)))
    return receipts
  }

  async function serveSlice(posts: readonly Outgoing[]): Promise<RowWrite[]> {
    const audiences = await followersOf(graph.reads, posts)
    const spreads: Spread[] = []
    const away: number[] = []
    const counts = posts.map((post, i) => {
      const own: Counts = { owners: 0, active: 0, inactive: 0 }
      const select = selection(post, own, away)
      const { id, body } = post.event
      for (const numbers of audiences[i]) {
        spreads.push({ id, author: body.author, kind: kindOf(body), owners: select(numbers) })
      }
      return own
    })
    // An evicted timeline is rebuilt when its reader returns; one that is only skipped would have a hole.
    for (let at = 0; at < away.length; at += VIEWS_A_TURN) {
      await views.evict(away.slice(at, at + VIEWS_A_TURN))
      await env.yield()
    }
    await insertInTurns(spreads)
    stats.skippedInactive += away.length
    return posts.map((post, i) => receiptRow(post, counts[i], env.wallMs()))
  }

  async function insertInTurns(spreads: readonly Spread[]): Promise<void> {
    let owners = 0
    let from = 0
    for (let i = 0; i < spreads.length; i++) {
      owners += spreads[i].owners.length
      if (owners < VIEWS_A_TURN && i < spreads.length - 1) continue
      const { inserted } = await views.insert(spreads.slice(from, i + 1))
      stats.inserts += inserted
      stats.chunks += i + 1 - from
      from = i + 1
      if (owners >= VIEWS_A_TURN) await env.yield()
      owners = 0
    }
  }

  /** Picks those to serve from the pieces of one audience; those long away are added to `away`. */
  function selection({ event, share }: Outgoing, counts: Counts, away: number[]) {
    const { author } = event.body
    const inactiveBefore = activity.minuteAgo(policies.current.inactive_days * 86_400_000)
    const activeFrom = activity.minuteAgo(policies.current.active_hours * 3_600_000)
    return (numbers: Uint32Array): Uint32Array => {
      const owners = new Uint32Array(numbers.length)
      let kept = 0
      for (let i = 0; i < numbers.length; i++) {
        const number = numbers[i]
        if (share < SHARES && edgeBucket(number, author) >= share) continue
        const minute = activity.minuteOf(number)
        // One of whom nothing is known is taken as active.
        if (minute > 0 && minute < inactiveBefore) {
          away.push(number)
          counts.inactive++
          continue
        }
        owners[kept++] = number
        if (minute === 0 || minute >= activeFrom) counts.active++
      }
      counts.owners += kept
      return owners.subarray(0, kept)
    }
  }

  return { serve }
}

/** In log order, each of about `SLICE_FOLLOWERS` or of one post. */
function* slicesOf(posts: readonly Outgoing[]): Generator<readonly Outgoing[]> {
  let from = 0
  let followers = 0
  for (let at = 0; at < posts.length; at++) {
    followers += sizeOf(posts[at].audience)
    if (followers < SLICE_FOLLOWERS && at < posts.length - 1) continue
    yield posts.slice(from, at + 1)
    from = at + 1
    followers = 0
  }
}

/** What happened to a post that needed no plan. */
export function receiptRow({ event, share }: Outgoing, counts: Counts, nowMs: number): RowWrite {
  const receipt: Receipt = {
    post: event.id,
    author: event.body.author,
    tier: share === 0 ? 1 : 0,
    share,
    planned: counts.owners + counts.inactive,
    done: counts.owners,
    skippedInactive: counts.inactive,
    lanes: [0, counts.active, counts.owners - counts.active],
    doneAtMs: Math.max(nowMs, idTimeMs(event.id)),
    doneChunks: [],
    fingerprint: 0,
  }
  return receiptsTable.row(receiptsTable.key(event.id), event.version, receipt)
}
