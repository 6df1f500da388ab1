/**
 * Fan-out of ordinary audiences: reads the followers, evicts the timelines of inactive ones and inserts into those of
 * the others, with the batch of events that the posts came in and in log order. After a crash the batch is repeated as
 * a whole, which changes nothing that was done.
 */

import type { FeedContext } from '../context.ts'
import type { Graph } from '../../graph/index.ts'
import type { RowWrite } from '../../ports/store/store.ts'
import type { Spread } from '../../ports/views/views.ts'
import { kindOf } from '../tables.ts'
import { followersOf, sizeOf, type Outgoing } from './audience.ts'
import { receiptRow, type Counts } from './receipts.ts'
import { selectorOf } from './select.ts'
import type { FanoutStats } from './stats.ts'

/** View inserts, or evictions, between two pauses for other work. */
const VIEWS_A_TURN = 1_000
/** About how many followers are read and looked at in one go. */
const SLICE_FOLLOWERS = 20_000

export interface Direct {
  /** @returns receipts, to be written */
  serve(posts: readonly Outgoing[]): Promise<RowWrite[]>
}

export function createDirect(context: FeedContext, graph: Graph, stats: FanoutStats): Direct {
  const { env, views } = context

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
      const select = selectorOf(graph, post, own, away)
      const { id, body } = post.event
      for (const numbers of audiences[i]) {
        spreads.push({ id, ref: body.author, kind: kindOf(body), owners: select(numbers) })
      }
      return own
    })
    // An evicted timeline is rebuilt when its reader returns; one that was only skipped would lack this post for good.
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

  return { serve }
}

/** Slices in log order, each of about `SLICE_FOLLOWERS` followers, or of one post that has more. */
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
