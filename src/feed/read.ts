/** Reads of the feed: pages of home and profile, single posts, receipts. */

import type { CursorSeal } from '../core/cursor.ts'
import { RivuletError } from '../core/errors.ts'
import type { EngineContext } from '../engine/engine.ts'
import { runPipeline } from '../engine/pipeline.ts'
import { follows, type Circle, type Graph } from '../graph/index.ts'
import { LISTS, openHome, openList, sealHome, sealList, withServed, type Session } from './cursors.ts'
import type { Fanout } from './fanout.ts'
import { newHomeQuery, type Home, type HomeQuery } from './home.ts'
import type { Item } from './items.ts'
import type { Outboxes } from './outboxes.ts'
import type { Posts } from './posts.ts'
import { createProfile, mayView } from './profile.ts'
import type { Reveals } from './reveals.ts'
import { postTotalsTable, receiptsTable, type Receipt } from './tables.ts'
import type { Timelines } from './timelines.ts'

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
  /** The id up to which the page claims to be complete. */
  readonly horizon: number
  readonly gap: boolean
  readonly failedSources: readonly string[]
}

export interface ListPage {
  readonly items: readonly Item[]
  readonly nextCursor: string | undefined
  readonly hasMore: boolean
}

export interface FeedReads {
  home(reader: number, request: HomeRequest): Promise<HomePage>
  /** `viewer` is `undefined` for the application itself. */
  profile(author: number, viewer: Circle | undefined, limit: number, cursor?: string): Promise<ListPage>
  /** Visible posts of these, in the order asked for; what is hidden or unknown is left out. */
  lookup(ids: readonly number[], viewer: Circle | undefined): Promise<readonly Item[]>
  /** Of those that everybody may see. */
  postsCount(author: number): Promise<number>
  receipt(post: number): Promise<Receipt | undefined>
}

export interface FeedReadParts {
  readonly context: EngineContext
  readonly graph: Graph
  readonly posts: Posts
  readonly outboxes: Outboxes
  readonly timelines: Timelines
  readonly home: Home
  readonly fanout: Fanout
  readonly reveals: Reveals
  readonly seal: CursorSeal
  /** Rises with each import: the past of an earlier one is another past. */
  readonly past: () => number
}

const DEAD_SHARE_MIN = 0.25
const DEAD_SAMPLE_MIN = 40

export function createFeedReads(parts: FeedReadParts): FeedReads {
  const { context, graph, posts, timelines, home, fanout, reveals, seal, past } = parts
  const { env, store, horizon } = context
  const profilePipeline = createProfile(posts, parts.outboxes)

  async function homePage(reader: number, request: HomeRequest): Promise<HomePage> {
    if (request.cursor !== undefined && request.after !== undefined) {
      throw new RivuletError('invalid_request', 'cursor and after exclude each other', {
        errors: [{ path: 'query.after', message: 'cannot stand beside cursor' }],
      })
    }
    graph.activity.touch(reader)
    const circled = graph.circles.of(reader)
    const circle = circled instanceof Promise ? await circled : circled
    if (request.after !== undefined) return pageAfter(reader, circle, request.after, request.limit)
    if (request.cursor === undefined)
      return pageFrom(reader, circle, Infinity, newSession(circle), request.limit)
    const { position, session } = openHome(seal, 'next', reader, request.cursor)
    return pageFrom(reader, circle, position, session, request.limit)
  }

  const newSession = (circle: Circle): Session => ({
    horizon: horizon.claimable(),
    changeId: circle.changeId,
    past: past(),
    served: [],
    overflow: false,
  })

  async function pageFrom(reader: number, circle: Circle, below: number, session: Session, limit: number) {
    const complete = below === Infinity ? session.horizon : horizon.claimable()
    const query = newHomeQuery(reader, circle, horizon.published, below)
    const found = await runPipeline(env, home, query, { below, atLeast: 0, limit: limit + 1 }, query.failed)
    rebuildIfDead(query)
    if (circle.unbackfilled.length > 0) timelines.finish(circle)
    const hasMore = found.selected.length > limit
    const items = hasMore ? found.selected.slice(0, limit) : found.selected
    const served = withServed(
      // What a failed source held back can only be told as a gap later.
      lacksNothing(found.failed) ? session : { ...session, overflow: true },
      items.map(({ id }) => id),
    )
    const cursors = sealHome(seal, reader, items[items.length - 1]?.id ?? 0, served)
    const page: HomePage = {
      items,
      circle: query.circle,
      nextCursor: hasMore ? cursors.next : undefined,
      after: cursors.after,
      hasMore,
      // Where nobody has told how far fan-out is, nothing is promised.
      complete: complete > 0 && lacksNothing(found.failed),
      horizon: complete,
      gap: false,
      failedSources: found.failed,
    }
    return page
  }

  /** What came since: everything above the session's horizon but what was served. */
  async function pageAfter(reader: number, circle: Circle, after: string, limit: number): Promise<HomePage> {
    const { session } = openHome(seal, 'after', reader, after)
    const startOver = async () => ({
      ...(await pageFrom(reader, circle, Infinity, newSession(circle), limit)),
      gap: true,
    })
    if (pastChanged(session, circle)) return startOver()
    const now = newSession(circle)
    const query = newHomeQuery(reader, circle, horizon.published, Infinity)
    const window = { below: Infinity, atLeast: session.horizon + 1, limit: limit + session.served.length + 1 }
    const found = await runPipeline(env, home, query, window, query.failed)
    const served = new Set(session.served)
    const items = found.selected.filter(({ id }) => !served.has(id))
    if (items.length > limit || !lacksNothing(found.failed)) return startOver()
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

  /** Without the timeline everybody is pulled: slower, and the same page. */
  const lacksNothing = (failed: readonly string[]): boolean => failed.every((name) => name === home.lead.name)

  const pastChanged = (session: Session, circle: Circle): boolean =>
    session.overflow ||
    session.past !== past() ||
    session.changeId !== circle.changeId ||
    reveals.since(session.horizon, (author) => author === circle.number || follows(circle, author))

  /** Entries of unfollowed authors and deleted posts are filtered at once; too many are worth a rebuild. */
  function rebuildIfDead({ reader, stats }: HomeQuery): void {
    if (stats.entries >= DEAD_SAMPLE_MIN && stats.dead >= stats.entries * DEAD_SHARE_MIN)
      timelines.rebuild(reader)
  }

  return {
    home: homePage,
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
