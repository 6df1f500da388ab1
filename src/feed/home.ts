/**
 * The home feed as a pipeline, latest first: everything that a reader is entitled to see of the accounts they follow
 * and of themselves. The page is the same whether posts were pushed or pulled, and whether the timeline is whole,
 * evicted or being rebuilt. The stages are in `home/`.
 */

import type { FeedContext } from './context.ts'
import type { Pace } from '../engine/read/pace.ts'
import { definePipeline, type Maybe } from '../engine/read/pipeline.ts'
import type { Circle, Graph } from '../graph/index.ts'
import type { HomeQuery } from './home/query.ts'
import { createRepostFinder, recentRepost } from './home/reposts.ts'
import { authorRules, deleted, postRules } from './home/rules.ts'
import { outboxesSource, ownPostsSource, timelineSource } from './home/sources.ts'
import { cachedItems, hydrateItems, type Item } from './posts/items.ts'
import type { Posts } from './posts/posts.ts'
import { KIND } from './tables.ts'
import type { Candidate } from './timelines/pull.ts'
import type { Pulls } from './timelines/pulls.ts'

export function createHome(context: FeedContext, pace: Pace, graph: Graph, posts: Posts, pulls: Pulls) {
  const { env, views } = context
  const findReposts = createRepostFinder(env, posts, () => pipeline)

  /** From the cache alone where it holds every post: then most pages are made without awaiting a promise. */
  function hydrate(query: HomeQuery, candidates: readonly Candidate[]): Maybe<Item[]> {
    const ready = cachedItems(posts, candidates)
    if (ready === undefined || candidates.some(({ kind }) => (kind & KIND.repost) !== 0)) {
      return hydrateSlowly(query, candidates)
    }
    return ready
  }

  async function hydrateSlowly(query: HomeQuery, candidates: readonly Candidate[]): Promise<Item[]> {
    const items = await hydrateItems(posts, candidates)
    if (query.isCold) await pace.turn('found')
    const finding = findReposts(query, items)
    if (finding !== undefined) await finding
    return items
  }

  const pipeline = definePipeline<HomeQuery, Candidate, Item>({
    lead: timelineSource(views),
    sources: [outboxesSource(graph, pulls), ownPostsSource(pulls)],
    early: authorRules,
    hydrate,
    filters: [...postRules, recentRepost],
    recheck(query, items) {
      const now = graph.circles.of(query.reader)
      if (now === query.circle) return items.filter((item) => deleted.keep(query, item))
      return recheckWith(query, items, now)
    },
  })

  return pipeline
}

/** The reader's circle changed while the page was made: the rules are applied again with the new one. */
async function recheckWith(query: HomeQuery, items: readonly Item[], now: Maybe<Circle>): Promise<Item[]> {
  query.circle = await now
  const rules = [...authorRules, ...postRules]
  return items.filter((item) => rules.every((rule) => rule.keep(query, item)))
}

export type Home = ReturnType<typeof createHome>
