/** Reads of the feed: pages of home and profile, single posts, receipts. */

import type { CursorSeal } from '../core/cursor.ts'
import { LRUCache } from 'lru-cache'
import { isRivuletError, RivuletError } from '../core/errors.ts'
import type { EngineContext } from '../engine/engine.ts'
import type { Pace } from '../engine/read/pace.ts'
import { runPipeline } from '../engine/read/pipeline.ts'
import { createDeadlines } from '../ports/env/deadlines.ts'
import { follows, type Circle, type Graph } from '../graph/index.ts'
import { LISTS, openList, sealList } from '../http/list-cursors.ts'
import { openHome, sealHome, withServed, type Session } from './home/cursors.ts'
import type { Fanout } from './fanout.ts'
import { newHomeQuery, type Home, type HomeQuery } from './home.ts'
import type { Item } from './posts/items.ts'
import type { Outboxes } from './timelines/outboxes.ts'
import type { Posts } from './posts/posts.ts'
import { createProfile, mayView } from './profile.ts'
import type { Pulls } from './timelines/pulls.ts'
import type { Reveals } from './home/reveals.ts'
import { postTotalsTable, receiptsTable, type Receipt } from './tables.ts'
import type { Timelines } from './timelines/timelines.ts'

export interface HomeRequest {
  readonly limit: number
  readonly cursor?: string | undefined
  readonly after?: string | undefined
}

export interface HomePage {
  readonly items: readonly Item[]
  /** The reader's circle at the time: whom they follow among the authors. */
  readonly circle: Circle
  readonly nextCursor: string | undefined
  readonly after: string
  readonly hasMore: boolean
  readonly complete: boolean
  /** The id up to which the page claims to be complete, as far down as it reaches. */
  readonly horizon: number
  readonly gap: boolean
  /** The timeline, if it could not be read: everybody was pulled then, which takes longer and gives the same page. */
  readonly failedSources: readonly string[]
}

export interface ListPage {
  readonly items: readonly Item[]
  readonly nextCursor: string | undefined
  readonly hasMore: boolean
}

export interface FeedReads {
  /**
   * Rejects with `not_ready` when the page cannot be had within five seconds (as after a start, when very many
   * timelines must be made anew): asked for again, it goes on where this try had come.
   */
  home(reader: number, request: HomeRequest): Promise<HomePage>
  /** `viewer` is `undefined` for the application itself. */
  profile(author: number, viewer: Circle | undefined, limit: number, cursor?: string): Promise<ListPage>
  /** Visible posts of these, in the order asked for; what is hidden or unknown is left out. */
  lookup(ids: readonly number[], viewer: Circle | undefined): Promise<readonly Item[]>
  /** Of those that everybody may see. */
  postsCount(author: number): Promise<number>
  receipt(post: number): Promise<Receipt | undefined>
  /** Pages that were put off. */
  readonly stats: { readonly notReady: number }
}

export interface FeedReadParts {
  readonly context: EngineContext
  readonly pace: Pace
  readonly graph: Graph
  readonly posts: Posts
  readonly outboxes: Outboxes
  readonly pulls: Pulls
  readonly timelines: Timelines
  readonly home: Home
  readonly fanout: Fanout
  readonly reveals: Reveals
  readonly seal: CursorSeal
  /** Rises with each import: the past of an earlier one is another past. */
  readonly past: () => number
}

interface Asked {
  readonly reader: number
  readonly circle: Circle
  readonly limit: number
  readonly sinceMs: number
  readonly isCold: boolean
}

/** Clients and proxies commonly wait for longer. What was read by then is kept for the next try. */
const PAGE_WITHIN_MS = 5_000
const RETRY_AFTER_MS_MIN = 1_000
/** Asking again costs little, and holds the place in the queue. */
const RETRY_AFTER_MS_MAX = 5_000
/** By up to so much earlier: those who are put off together do not all come back at once. */
const RETRY_EARLIER_SHARE = 0.3
const PUT_OFF_KEPT_MAX = 20_000
const PUT_OFF_KEPT_MS = 60_000

const DEAD_SHARE_MIN = 0.25
const DEAD_SAMPLE_MIN = 40

export function createFeedReads(parts: FeedReadParts): FeedReads {
  const { context, pace, graph, posts, pulls, timelines, home, fanout, reveals, seal, past } = parts
  const { env, store, horizon } = context
  const stats = { notReady: 0 }
  /** Since when readers ask who were put off: who waits longest is served first, whenever they come back. */
  const putOff = new LRUCache<number, number>({
    maxSize: PUT_OFF_KEPT_MAX,
    sizeCalculation: () => 1,
    ttl: PUT_OFF_KEPT_MS,
    perf: { now: () => env.monotonicMs() },
  })
  const deadlines = createDeadlines(env, PAGE_WITHIN_MS, notReady)
  const profilePipeline = createProfile(posts, parts.outboxes)

  async function homePage(reader: number, request: HomeRequest, sinceMs: number): Promise<HomePage> {
    if (request.cursor !== undefined && request.after !== undefined) {
      throw new RivuletError('invalid_request', 'cursor and after exclude each other', {
        errors: [{ path: 'query.after', message: 'cannot stand beside cursor' }],
      })
    }
    graph.activity.touch(reader)
    const known = graph.circles.of(reader)
    const isCold = known instanceof Promise
    const circle = isCold ? await known : known
    if (isCold) await pace.turn('begun')
    const asked = { reader, circle, limit: request.limit, sinceMs, isCold }
    if (request.after !== undefined) return pageAfter(asked, request.after)
    if (request.cursor === undefined) return pageFrom(asked, Infinity, newSession(circle))
    const { position, session } = openHome(seal, 'next', reader, request.cursor)
    return pageFrom(asked, position, session)
  }

  function notReady(): RivuletError {
    const backlogMs = pulls.backlogMs()
    const soonMs = Math.min(Math.max(backlogMs, RETRY_AFTER_MS_MIN), RETRY_AFTER_MS_MAX)
    const retryAfterMs = Math.max(RETRY_AFTER_MS_MIN, soonMs * (1 - RETRY_EARLIER_SHARE * env.random()))
    return new RivuletError('not_ready', 'this feed is still being put together; ask again', { retryAfterMs })
  }

  async function readHome(reader: number, request: HomeRequest): Promise<HomePage> {
    const sinceMs = (putOff.size > 0 ? putOff.get(reader) : undefined) ?? env.monotonicMs()
    try {
      const page = await deadlines.limit(homePage(reader, request, sinceMs))
      if (putOff.size > 0) putOff.delete(reader)
      return page
    } catch (error) {
      if (isRivuletError(error, 'not_ready')) {
        stats.notReady++
        putOff.set(reader, sinceMs)
      }
      throw error
    }
  }

  const newSession = (circle: Circle): Session => ({
    horizon: horizon.claimable(),
    changeId: circle.changeId,
    past: past(),
    served: [],
    overflow: false,
  })

  async function pageFrom(asked: Asked, below: number, session: Session) {
    const { reader, circle, limit } = asked
    const complete = below === Infinity ? session.horizon : horizon.claimable()
    const query = newHomeQuery(asked, horizon.published, below)
    const found = await runPipeline(env, home, query, { below, atLeast: 0, limit: limit + 1 }, query.failed)
    rebuildIfDue(query)
    if (circle.unbackfilled.length > 0) timelines.finish(circle)
    const isFull = found.selected.length > limit
    const items = isFull ? found.selected.slice(0, limit) : found.selected
    // All of them went while the page was made, and what is below cannot be had now.
    if (items.length === 0 && found.isCut) throw notReady()
    const hasMore = isFull || found.isCut
    const served = withServed(
      session,
      items.map(({ id }) => id),
    )
    const position = isFull ? items[items.length - 1].id : found.lower
    const cursors = sealHome(seal, reader, position, served)
    const page: HomePage = {
      items,
      circle: query.circle,
      nextCursor: hasMore ? cursors.next : undefined,
      after: cursors.after,
      hasMore,
      // Where nobody has told how far fan-out is, nothing is promised.
      complete: complete > 0,
      horizon: complete,
      gap: false,
      failedSources: found.failed,
    }
    return page
  }

  /** What came since: everything above the session's horizon but what was served. */
  async function pageAfter(asked: Asked, after: string): Promise<HomePage> {
    const { reader, circle, limit } = asked
    const { session } = openHome(seal, 'after', reader, after)
    const startOver = async () => ({
      ...(await pageFrom(asked, Infinity, newSession(circle))),
      gap: true,
    })
    if (pastChanged(session, circle)) return startOver()
    const now = newSession(circle)
    const query = newHomeQuery(asked, horizon.published, Infinity)
    const window = { below: Infinity, atLeast: session.horizon + 1, limit: limit + session.served.length + 1 }
    const found = await runPipeline(env, home, query, window, query.failed)
    rebuildIfDue(query)
    const served = new Set(session.served)
    const items = found.selected.filter(({ id }) => !served.has(id))
    if (items.length > limit || found.isCut) return startOver()
    // After a restart the horizon may stand lower for a while; what was told before stays told.
    const since = { ...now, horizon: Math.max(now.horizon, session.horizon) }
    const shown = withServed(since, [...items.map(({ id }) => id), ...session.served])
    return {
      items,
      circle: query.circle,
      nextCursor: undefined,
      after: sealHome(seal, reader, 0, shown).after,
      hasMore: false,
      complete: now.horizon > 0,
      horizon: now.horizon,
      gap: false,
      failedSources: found.failed,
    }
  }

  const pastChanged = (session: Session, circle: Circle): boolean =>
    session.overflow ||
    session.past !== past() ||
    session.changeId !== circle.changeId ||
    reveals.since(session.horizon, (author) => author === circle.number || follows(circle, author))

  /**
   * Once the page is made, which would wait for it otherwise. Entries of unfollowed authors and deleted posts are
   * filtered at once; too many are worth a rebuild.
   */
  function rebuildIfDue({ reader, stats }: HomeQuery): void {
    const isDead = stats.entries >= DEAD_SAMPLE_MIN && stats.dead >= stats.entries * DEAD_SHARE_MIN
    if (stats.isTimelineLost || isDead) timelines.rebuild(reader)
  }

  return {
    stats,
    home: readHome,
    async profile(author, viewer, limit, cursor) {
      const reader = viewer?.number ?? 0
      const list = { list: LISTS.profile, reader, subject: author }
      const below = cursor === undefined ? Infinity : openList(seal, list, cursor)
      const request = { below, atLeast: 0, limit: limit + 1 }
      const found = await runPipeline(env, profilePipeline, { author, viewer }, request)
      if (found.failed.length > 0)
        throw new RivuletError('unavailable', 'posts cannot be read now', { retryAfterMs: 1_000 })
      const hasMore = found.selected.length > limit
      const items = found.selected.slice(0, limit)
      const nextCursor = hasMore
        ? sealList(seal, { ...list, position: items[items.length - 1].id })
        : undefined
      return { items, hasMore, nextCursor }
    },
    async lookup(ids, viewer) {
      const found = await posts.load(ids)
      const originals = [...found.values()].flatMap((post) => (post.repostOf > 0 ? [post.repostOf] : []))
      const repeated = originals.length > 0 ? await posts.load(originals) : found
      return ids.flatMap((id) => {
        const post = found.get(id)
        if (post === undefined || !mayView(viewer, post)) return []
        const original = post.repostOf > 0 ? repeated.get(post.repostOf) : undefined
        if (post.repostOf > 0 && (original === undefined || !mayView(viewer, original))) return []
        return [{ id, author: post.author, post, original }]
      })
    },
    async postsCount(author) {
      const [row] = await store.get([postTotalsTable.key(author)])
      if (row === undefined) return 0
      const { posts, hidden } = postTotalsTable.decode(row)
      return posts - hidden
    },
    async receipt(post) {
      const open = fanout.runner.receipt(post)
      if (open !== undefined) return open
      const [row] = await store.get([receiptsTable.key(post)])
      return row === undefined ? undefined : receiptsTable.decode(row)
    },
  }
}
