/**
 * The fan-out of posts into the timelines of followers (`engine/fanout/`). What is the feed's own: a post that only its
 * author sees goes to nobody, close and active followers come first, and the timelines of inactive ones are evicted.
 */

import { defineFanout, type Fanout as EngineFanout } from '../engine/fanout/fanout.ts'
import { graphEvents, type Graph } from '../graph/index.ts'
import { homeView, type FeedContext } from './context.ts'
import { posted, type PostBody } from './events.ts'
import { followerLanes } from './fanout/lanes.ts'
import { fanoutTables, KIND, kindOf, type Minutes } from './tables.ts'

export type Fanout = EngineFanout<PostBody, Minutes>

export function createFanout(context: FeedContext, graph: Graph): Fanout {
  const { views } = context
  const { followers, marks, policies } = graph
  return defineFanout<PostBody, Minutes>(context, {
    name: 'feed-posts',
    on: posted,
    concerns: ({ body }) => (kindOf(body) & KIND.self) === 0,
    audience: followers,
    lanes: followerLanes(graph),
    tables: fanoutTables,
    view: homeView,
    kindOf: ({ body }) => kindOf(body),
    pull: { shareOf: policies.shareOf, marks, raised: graphEvents.marksRaised },
    serve: async (pieces) => (await views.insert(pieces)).inserted,
    // An evicted timeline is rebuilt when its reader returns; one that was only skipped would lack this post for good.
    skip: (away) => views.evict(away),
    receipts: 'kept',
  })
}
