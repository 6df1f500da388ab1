/**
 * The home feed as a pipeline, latest first: everything that a reader is entitled to see of the accounts they follow
 * and of themselves. The page is the same whether posts were pushed or pulled, and whether the timeline is whole,
 * evicted or being rebuilt. The stages are in `home/`; the latest feed has neither scorers nor a selector.
 */

import type { FeedContext } from './context.ts'
import type { Pace } from '../engine/read/pace.ts'
import { definePipeline, type Filter, type Maybe } from '../engine/read/stages.ts'
import type { Graph } from '../graph/index.ts'
import type { HomeQuery } from './home/query.ts'
import { createRepostFinder } from './home/reposts.ts'
import { authorFilter, goneFilter, postFilter } from './home/rules.ts'
import { seenFilter } from './home/seen.ts'
import { outboxesSource, ownPostsSource, timelineSource } from './home/sources.ts'
import { cachedItems, hydrateItems, type Item } from './posts/items.ts'
import type { Posts } from './posts/posts.ts'
import { KIND, kindOf } from './tables.ts'
import type { Candidate } from './timelines/pull.ts'
import type { Pulls } from './timelines/pulls.ts'

type Filters = readonly Filter<HomeQuery, Item>[]

/** While the reader's circle stays the same, only deletes can change what an item's verdict is. */
const SAME_CIRCLE: Filters = [goneFilter]
const CIRCLE_CHANGED: Filters = [authorFilter, goneFilter, postFilter]

export function createHome(context: FeedContext, pace: Pace, graph: Graph, posts: Posts, pulls: Pulls) {
  const { env, views } = context
  const findReposts = createRepostFinder(env, posts, () => pipeline)

  /** From the cache alone where it holds every post: then most pages are made without awaiting a promise. */
  function hydrate(query: HomeQuery, candidates: readonly Candidate[]): Maybe<readonly (Item | undefined)[]> {
    const ready = cachedItems(posts, candidates)
    if (ready === undefined || candidates.some(({ kind }) => (kind & KIND.repost) !== 0)) {
      return hydrateSlowly(query, candidates)
    }
    return ready
  }

  async function hydrateSlowly(query: HomeQuery, candidates: readonly Candidate[]) {
    const items = await hydrateItems(posts, candidates)
    if (query.isCold) await pace.turn('found')
    const finding = findReposts(query, items)
    if (finding !== undefined) await finding
    return items
  }

  const pipeline = definePipeline<HomeQuery, Candidate, Item>({
    name: 'home',
    lead: timelineSource(views),
    sources: [outboxesSource(graph, pulls), ownPostsSource(pulls)],
    early: [authorFilter],
    hydrate,
    filters: [goneFilter, postFilter, seenFilter],
    recheck(query) {
      const now = graph.circles.of(query.reader)
      return now === query.circle ? SAME_CIRCLE : changedCircle(query, now)
    },
    async candidateOf(_query, id) {
      const post = await posts.get(id)
      return post === undefined ? undefined : { id, author: post.author, kind: kindOf(post) }
    },
  })

  return pipeline
}

/** The reader's circle changed while the page was made: the rules are applied again with the new one. */
async function changedCircle(query: HomeQuery, now: Maybe<HomeQuery['circle']>): Promise<Filters> {
  query.circle = await now
  return CIRCLE_CHANGED
}

export type Home = ReturnType<typeof createHome>
