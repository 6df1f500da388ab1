/** An author's own posts, as one viewer may see them. */

import type { CursorSeal } from '../core/cursor.ts'
import { RivuletError } from '../core/errors.ts'
import { Histogram, LATENCY_BOUNDS_MS } from '../core/histogram.ts'
import { runPipeline } from '../engine/read/pipeline.ts'
import { definePipeline, KEPT, verdicts, type Filter, type Source } from '../engine/read/stages.ts'
import { follows, isBlocked, type Circle } from '../graph/index.ts'
import { openList, sealList } from '../http/list-cursors.ts'
import { LISTS } from './lists.ts'
import type { Env } from '../ports/env/env.ts'
import { hydrateItems, type Item } from './posts/items.ts'
import type { Post, Posts } from './posts/posts.ts'
import { VISIBILITY } from './tables.ts'
import type { Outboxes } from './timelines/outboxes.ts'
import { pull, type Candidate } from './timelines/pull.ts'

export interface ListPage {
  readonly items: readonly Item[]
  readonly nextCursor: string | undefined
  readonly hasMore: boolean
}

interface ProfileQuery {
  readonly author: number
  /** `undefined`: the application itself, which may see everything. */
  readonly viewer: Circle | undefined
}

/** Whether `viewer` may see a post: it is not deleted, neither blocks the other, and the visibility includes them. */
export function mayView(viewer: Circle | undefined, post: Post): boolean {
  if (post.deleted) return false
  if (viewer === undefined || post.author === viewer.number) return true
  if (isBlocked(viewer, post.author) || post.visibility === VISIBILITY.self) return false
  return post.visibility === VISIBILITY.public || follows(viewer, post.author)
}

export function createProfileReads(env: Env, posts: Posts, outboxes: Outboxes, seal: CursorSeal) {
  const profile = createProfile(posts, outboxes)
  return async (
    author: number,
    viewer: Circle | undefined,
    limit: number,
    cursor?: string,
  ): Promise<ListPage> => {
    const reader = viewer?.number ?? 0
    const list = { list: LISTS.profile, reader, subject: author }
    const below = cursor === undefined ? Infinity : openList(seal, list, cursor)
    const found = await runPipeline(env, profile, { author, viewer }, { below, atLeast: 0, limit: limit + 1 })
    if (found.failed.length > 0)
      throw new RivuletError('unavailable', 'the posts cannot be read now; retry', { retryAfterMs: 1_000 })
    const hasMore = found.selected.length > limit
    const items = found.selected.slice(0, limit)
    const nextCursor = hasMore ? sealList(seal, { ...list, position: items[items.length - 1].id }) : undefined
    return { items, hasMore, nextCursor }
  }
}

const HIDDEN = verdicts('not_visible', 'original_not_visible')

const visible: Filter<ProfileQuery, Item> = {
  rules: Object.keys(HIDDEN),
  judge({ viewer }, { post, original }) {
    if (!mayView(viewer, post)) return HIDDEN.not_visible
    if (post.repostOf === 0 || (original !== undefined && mayView(viewer, original))) return KEPT
    return HIDDEN.original_not_visible
  },
}

function createProfile(posts: Posts, outboxes: Outboxes) {
  const outbox: Source<ProfileQuery, Candidate> = {
    name: 'outbox',
    latency: new Histogram(LATENCY_BOUNDS_MS),
    read: ({ author }, { below, atLeast, limit }) =>
      pull(outboxes, { authors: [author], below, atLeast, limit }),
  }
  return definePipeline<ProfileQuery, Candidate, Item>({
    name: 'profile',
    lead: outbox,
    sources: [],
    early: [],
    hydrate: (_query, candidates) => hydrateItems(posts, candidates),
    filters: [visible],
    recheck: () => [visible],
  })
}
