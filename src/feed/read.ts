/** Reads of the feed: pages of the home feed and of profiles, single posts, receipts. */

import type { Receipt } from '../engine/fanout/tables.ts'
import type { Circle } from '../graph/index.ts'
import { createAnswerReads, type AnswerReads } from './answers/read.ts'
import { readAncestors, type Ancestors } from './answers/ancestors.ts'
import type { Fanout } from './fanout.ts'
import type { HomePage, HomeRequest } from './home/page.ts'
import { createHomeReads, type HomeReadParts } from './home/reads.ts'
import { createWhy, type Why } from './home/why.ts'
import { createLikersRead, type LikersPage } from './likes/read.ts'
import { countPublicPosts, lookupPosts, shownOriginal } from './lookups.ts'
import type { Item } from './posts/items.ts'
import type { Post, Posts } from './posts/posts.ts'
import { createProfileReads, type ListPage } from './profile.ts'
import type { Outboxes } from './timelines/outboxes.ts'

export interface FeedReads extends AnswerReads {
  /**
   * Rejects with `not_ready` when the page cannot be made within five seconds (as after a start, when very many
   * timelines must be rebuilt). A repeated request continues where this one stopped.
   */
  home(reader: number, request: HomeRequest): Promise<HomePage>
  /** Why a post is in a reader's home feed, or by which rule it is not. For operators: it tells of blocks. */
  readonly why: Why
  /** `viewer` is `undefined` for the application itself, which may see everything. */
  profile(author: number, viewer: Circle | undefined, limit: number, cursor?: string): Promise<ListPage>
  /** The posts of these that the viewer may see, in the order asked for; hidden and unknown ones are left out. */
  lookup(ids: readonly number[], viewer: Circle | undefined): Promise<readonly Item[]>
  /** The post itself or, of a repost, the original; `undefined` if the viewer may not see it. */
  original(id: number, viewer: Circle | undefined): Promise<Post | undefined>
  /** The posts that a post replies to, from the first on. */
  ancestors(post: Post, viewer: Circle | undefined): Promise<Ancestors>
  /** Who likes a post that the viewer may see. */
  likers(post: number, viewer: Circle | undefined, limit: number, cursor?: string): Promise<LikersPage>
  /** How many public posts an author has. */
  postsCount(author: number): Promise<number>
  receipt(post: number): Promise<Receipt | undefined>
  /** How many pages were put off with `not_ready`. */
  readonly stats: { readonly notReady: number }
}

export interface FeedReadParts extends HomeReadParts {
  readonly posts: Posts
  readonly outboxes: Outboxes
  readonly fanout: Fanout
}

export function createFeedReads(parts: FeedReadParts): FeedReads {
  const { posts, outboxes, fanout, seal } = parts
  const { context, graph } = parts
  const { env, store } = context
  const home = createHomeReads(parts)
  return {
    stats: home.stats,
    home: home.read,
    why: createWhy(context, graph, parts.home),
    profile: createProfileReads(env, posts, outboxes, seal),
    lookup: (ids, viewer) => lookupPosts(posts, ids, viewer),
    original: (id, viewer) => shownOriginal(posts, id, viewer),
    likers: createLikersRead(store, seal),
    ...createAnswerReads({ env, store, posts, seal }),
    ancestors: (post, viewer) => readAncestors(posts, post, viewer),
    postsCount: (author) => countPublicPosts(store, author),
    receipt: fanout.receipt,
  }
}
