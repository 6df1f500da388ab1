/** The feed domain: posts, their fan-out into timelines, and the pages that readers see. */

import type { Histogram } from '../core/histogram.ts'
import { createCursorSeal } from '../core/cursor.ts'
import { isEvent, tablesIn, type BuiltDomain, type DomainHost, type DomainSpec } from '../engine/domain.ts'
import type { Event } from '../engine/events.ts'
import { createPace } from '../engine/read/pace.ts'
import { graphDomain } from '../graph/index.ts'
import { createFeedCommands, type FeedCommands } from './commands.ts'
import { feedContext, homeView } from './context.ts'
import * as events from './events.ts'
import { createFanout, type Fanout } from './fanout.ts'
import { createHome } from './home.ts'
import { createLikeCommands, type LikeCommands } from './likes/commands.ts'
import { createViewerLikes, type ViewerLikes } from './likes/viewer-likes.ts'
import { pastTable } from './past.ts'
import { createOutboxes, type Outboxes } from './timelines/outboxes.ts'
import { createPosts, type Posts } from './posts/posts.ts'
import { feedProjections } from './project.ts'
import { createPulls, type Pulls } from './timelines/pulls.ts'
import { createFeedReads, type FeedReads } from './read.ts'
import { homeReactor } from './reactor.ts'
import { createReveals, type Reveals } from './home/reveals.ts'
import * as tables from './tables.ts'
import { kindOf } from './tables.ts'
import { createTimelines, type Timelines } from './timelines/timelines.ts'
import { createWarmer, type Warmer } from './timelines/warmer.ts'

export interface Feed {
  readonly commands: FeedCommands & LikeCommands
  readonly reads: FeedReads
  readonly posts: Posts
  readonly likes: ViewerLikes
  readonly outboxes: Outboxes
  readonly pulls: Pulls
  readonly fanout: Fanout
  readonly timelines: Timelines
  readonly warmer: Warmer
  /** The sources of the home feed, with how long their reads take. */
  readonly sources: readonly { readonly name: string; readonly latency: Histogram }[]
  /** How many candidates each rule of the home feed has removed: a rule and its count have the same place. */
  readonly removed: { readonly rules: readonly string[]; readonly counts: Float64Array }
}

const POST_CACHE_BYTES = 256 * 2 ** 20

function createFeed({ context: engine, use, secret, setting }: DomainHost): BuiltDomain<Feed> {
  const context = feedContext(engine)
  const { store } = context
  const graph = use(graphDomain)
  const posts = createPosts(store, setting('postCacheBytesMax') ?? POST_CACHE_BYTES)
  const likes = createViewerLikes(store)
  const outboxes = createOutboxes(store)
  const pace = createPace(context.env)
  const pulls = createPulls(context.env, pace, outboxes)
  const timelines = createTimelines(context, graph, pulls)
  const warmer = createWarmer(context, graph, timelines)
  const fanout = createFanout(context, graph)
  const reveals = createReveals(context.env, store)
  const home = createHome(context, pace, graph, posts, pulls)
  const commands = {
    ...createFeedCommands(context, graph, posts),
    ...createLikeCommands(context, graph, posts, likes),
  }
  let importsDone = 0
  const imports = () => importsDone
  const seal = createCursorSeal(secret)
  const parts = { context, pace, graph, pulls, timelines, home, reveals, seal, imports }
  const reads = createFeedReads({ ...parts, posts, outboxes, fanout })

  const projected = keepCaches(posts, likes, outboxes, reveals)

  const sources = [home.lead, ...home.sources]
  const removed = { rules: home.rules, counts: home.removed }
  return {
    api: { commands, reads, posts, likes, outboxes, pulls, fanout, timelines, warmer, sources, removed },
    background: [fanout.runner, timelines],
    projections: feedProjections,
    reactors: [homeReactor(context, timelines, fanout)],
    projected: (batch) => batch.forEach(projected),
    async start() {
      const [row] = await store.get([pastTable.key()])
      importsDone = row === undefined ? 0 : pastTable.decode(row).imports
      await reveals.load()
    },
    gained: (partitions) => fanout.runner.resume(partitions),
    async forget() {
      posts.clear()
      likes.clear()
      outboxes.clear()
      await reveals.load()
    },
    async stop() {
      warmer.stop()
      await timelines.stop()
      await fanout.runner.stop()
    },
  }
}

/** @returns a function that brings the caches up to date with an event whose rows stand */
const keepCaches =
  (posts: Posts, likes: ViewerLikes, outboxes: Outboxes, reveals: Reveals) =>
  (event: Event): void => {
    if (isEvent(event, events.posted)) {
      posts.created(event.id, event.body)
      outboxes.posted(event.body.author, event.id, kindOf(event.body))
    } else if (isEvent(event, events.deleted)) {
      const post = posts.cached(event.body.post)
      posts.markDeleted(event.body.post)
      outboxes.deleted(event.body.author, event.body.post)
      if (post === undefined || post.repostOf > 0) reveals.revealed(event.id, event.body.author)
    } else if (isEvent(event, events.cameLate)) {
      reveals.revealed(event.body.id, event.body.author)
    } else if (isEvent(event, events.engaged)) posts.drop(event.body.target)
    else if (isEvent(event, events.liked)) likes.changed(event.body.by, event.body.post)
    else if (isEvent(event, events.likeCounted)) posts.drop(event.body.post)
  }

export const feedDomain: DomainSpec<Feed> = {
  name: 'feed',
  tags: [20, 39],
  events: [events.posted, events.deleted, events.engaged, events.cameLate, events.liked, events.likeCounted],
  tables: tablesIn(tables, { pastTable }),
  views: [homeView],
  create: createFeed,
}

export * from './tables.ts'
export type { FeedCommands, FeedReads }
export type { NewPost } from './commands.ts'
export type { HomePage, HomeRequest } from './home/page.ts'
export { homeView, pastTable }
export type { Item } from './posts/items.ts'
export type { Post, Posts } from './posts/posts.ts'
export { checkContent, checkCustom } from './posts/limits.ts'
export { mayView, type ListPage } from './profile.ts'
