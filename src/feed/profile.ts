/** An author's own posts, as one viewer may see them. */

import { Histogram, LATENCY_BOUNDS_MS } from '../core/histogram.ts'
import { definePipeline, type Filter, type Source } from '../engine/read/pipeline.ts'
import { follows, isBlocked, type Circle } from '../graph/index.ts'
import { hydrateItems, type Item } from './posts/items.ts'
import type { Outboxes } from './timelines/outboxes.ts'
import type { Post, Posts } from './posts/posts.ts'
import { pull, type Candidate } from './timelines/pull.ts'
import { VISIBILITY } from './tables.ts'

export interface ProfileQuery {
  readonly author: number
  /** `undefined`: the application itself, which may see everything. */
  readonly viewer: Circle | undefined
}

/** Whether `viewer` may see a post at all: alive, not blocked either way, and meant for them. */
export function mayView(viewer: Circle | undefined, post: Post): boolean {
  if (post.deleted) return false
  if (viewer === undefined || post.author === viewer.number) return true
  if (isBlocked(viewer, post.author) || post.visibility === VISIBILITY.self) return false
  return post.visibility === VISIBILITY.public || follows(viewer, post.author)
}

export function createProfile(posts: Posts, outboxes: Outboxes) {
  const outbox: Source<ProfileQuery, Candidate> = {
    name: 'outbox',
    latency: new Histogram(LATENCY_BOUNDS_MS),
    read: ({ author }, { below, atLeast, limit }) =>
      pull(outboxes, { authors: [author], below, atLeast, limit }),
  }
  const visible: Filter<ProfileQuery, Item> = {
    name: 'visibility',
    keep: ({ viewer }, { post, original }) =>
      mayView(viewer, post) && (post.repostOf === 0 || (original !== undefined && mayView(viewer, original))),
  }
  return definePipeline<ProfileQuery, Candidate, Item>({
    lead: outbox,
    sources: [],
    early: [],
    hydrate: (_query, candidates) => hydrateItems(posts, candidates),
    filters: [visible],
    recheck: (query, items) => items.filter((item) => visible.keep(query, item)),
  })
}
