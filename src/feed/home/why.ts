/** Why a post is in a reader's home feed, or is not. */

import type { FeedContext } from '../context.ts'
import { explain, type Explanation } from '../../engine/read/explain.ts'
import type { Graph } from '../../graph/index.ts'
import type { Home } from '../home.ts'
import { newHomeQuery } from './query.ts'

/** A post that no source gives and no rule would remove, with an id that fan-out has not reached yet. */
const NOT_FANNED_OUT = 'not_fanned_out'

/** Tells nothing of sessions: for `after`, a post may be among those that an earlier page served. */
export type Why = (reader: number, post: number) => Promise<Explanation>

export function createWhy({ env, horizon }: FeedContext, graph: Graph, home: Home): Why {
  return async (reader, post) => {
    const known = graph.circles.of(reader)
    const isCold = known instanceof Promise
    const asked = { reader, circle: await known, sinceMs: env.monotonicMs(), isCold }
    // As a page from a cursor right above the post: newer reposts of the same original are looked for there.
    const query = newHomeQuery(asked, horizon.published, post + 1)
    const found = await explain(env, home, query, post)
    const isOnItsWay = found.stage === 'sources' && found.rule === null && post > horizon.claimable()
    return isOnItsWay ? { stage: 'sources', rule: NOT_FANNED_OUT } : found
  }
}
