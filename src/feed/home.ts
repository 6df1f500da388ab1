/**
 * The home feed, latest first, as a pipeline: what one is entitled to see of the people one follows and of
 * oneself, whatever was pushed, pulled, evicted or rebuilt.
 */

import { Histogram, LATENCY_BOUNDS_MS } from '../core/histogram.ts'
import { LIMITS } from '../core/limits.ts'
import { idFloorAt, idTimeMs, TICK_MS } from '../core/ids.ts'
import type { EngineContext } from '../engine/engine.ts'
import { isBehind } from '../engine/horizon/horizon.ts'
import type { Pace } from '../engine/read/pace.ts'
import { definePipeline, readRound, type Filter, type Maybe, type Source } from '../engine/read/pipeline.ts'
import { edgeBucket, follows, isBlocked, isMuted, type Circle, type Graph } from '../graph/index.ts'
import { cachedItems, hydrateItems, type Item } from './posts/items.ts'
import type { Posts } from './posts/posts.ts'
import type { Candidate } from './timelines/pull.ts'
import type { Pulls } from './timelines/pulls.ts'
import { KIND, VISIBILITY, repostHash } from './tables.ts'

/** One read of one reader's feed. */
export interface HomeQuery {
  readonly reader: number
  circle: Circle
  /** What the views had been told when the read began, by lane: a header below it lost entries. */
  readonly published: Float64Array
  readonly reposts: RepostsSeen
  /** Of the timeline. */
  readonly stats: { entries: number; dead: number; isTimelineLost: boolean }
  /** The timeline, where it was done without, on the way of the page or beside it. */
  readonly failed: string[]
  /** When it was asked for. */
  readonly sinceMs: number
  /** Little of what it needs is in memory: after a start there are very many of these. */
  readonly isCold: boolean
}

/** Entitled reposts met so far, by original. */
interface RepostsSeen {
  readonly byOriginal: Map<number, number[]>
  /** Where this read began: what lies above was not met by it. */
  readonly start: number
  /** Hashes of originals whose reposts above the start were looked for. */
  readonly lookedFor: Set<number>
}

export function newHomeQuery(
  { reader, circle, sinceMs, isCold }: Pick<HomeQuery, 'reader' | 'circle' | 'sinceMs' | 'isCold'>,
  published: Float64Array,
  below: number,
): HomeQuery {
  return {
    reader,
    circle,
    published,
    reposts: { byOriginal: new Map(), start: below, lookedFor: new Set() },
    stats: { entries: 0, dead: 0, isTimelineLost: false },
    failed: [],
    sinceMs,
    isCold,
  }
}

export function createHome(context: EngineContext, pace: Pace, graph: Graph, posts: Posts, pulls: Pulls) {
  const { env, views } = context
  const pulledOf = createPulledLists(graph)

  const timelineEntries: Source<HomeQuery, Candidate> = {
    name: 'timeline',
    latency: new Histogram(LATENCY_BOUNDS_MS),
    async read(query, { below, atLeast, limit }) {
      const nothing = { candidates: [], lower: atLeast }
      const page = await views.range(query.reader, below, limit)
      if (page === undefined || isBehind(page.header, query.published)) {
        query.stats.isTimelineLost = true
        return nothing
      }
      const { entries, header } = page
      // An unsettled header belongs to a rebuild under way; one that was left so asks for another.
      if (header.floor === Infinity) query.stats.isTimelineLost = true
      if (header.floor + 1 >= below) return nothing
      const candidates: Candidate[] = []
      for (let i = 0; i < entries.length && entries.ids[i] > header.floor; i++) {
        candidates.push({ id: entries.ids[i], author: entries.authors[i], kind: entries.kinds[i] })
      }
      query.stats.entries += candidates.length
      const reachedFloor = candidates.length < limit
      const end = header.floor === 0 ? 0 : header.floor + 1
      const lower = reachedFloor ? end : candidates[candidates.length - 1].id
      return { candidates, lower, covered: true }
    },
  }

  const pulledOutboxes: Source<HomeQuery, Candidate> = {
    name: 'outboxes',
    latency: new Histogram(LATENCY_BOUNDS_MS),
    read(query, { below, atLeast, limit, covered = false }) {
      const { circle } = query
      // Where the timeline does not answer for the window, everybody is pulled.
      const all = covered ? pulledOf(circle, atLeast) : circle.following
      // Whom one mutes would be read to the very first post, and all of it left out.
      const authors = circle.muted.length === 0 ? all : Array.from(all).filter((one) => !isMuted(circle, one))
      return pulls.forPage(query, { authors, below, atLeast, limit }, !covered)
    },
  }

  const ownPosts: Source<HomeQuery, Candidate> = {
    name: 'own_posts',
    latency: new Histogram(LATENCY_BOUNDS_MS),
    read: (query, { below, atLeast, limit }) =>
      pulls.forPage(query, { authors: [query.reader], below, atLeast, limit }, false),
  }

  const ofMyPeople: Filter<HomeQuery, Candidate> = {
    name: 'followed',
    keep(query, { author }) {
      const alive = author === query.reader || follows(query.circle, author)
      if (!alive) query.stats.dead++
      return alive
    },
  }
  const blocked: Filter<HomeQuery, { author: number }> = {
    name: 'blocked',
    keep: ({ circle }, { author }) => !isBlocked(circle, author),
  }
  const muted: Filter<HomeQuery, { author: number }> = {
    name: 'muted',
    keep: ({ circle }, { author }) => !isMuted(circle, author),
  }
  const deleted: Filter<HomeQuery, Item> = {
    name: 'deleted',
    keep(query, { post, original }) {
      // A repost of what is deleted is not dead: a rebuild would bring it in again.
      if (post.deleted) query.stats.dead++
      return !post.deleted && (post.repostOf === 0 || original?.deleted === false)
    },
  }
  const visibility: Filter<HomeQuery, Item> = {
    name: 'visibility',
    keep: ({ reader }, { post, original }) =>
      (post.author === reader || post.visibility !== VISIBILITY.self) &&
      (original === undefined || original.visibility === VISIBILITY.public || original.author === reader),
  }
  const repostedAuthor: Filter<HomeQuery, Item> = {
    name: 'reposted_author',
    keep: ({ circle }, { original }) =>
      original === undefined || (!isBlocked(circle, original.author) && !isMuted(circle, original.author)),
  }
  /** Of those who see its author's posts, a reply is shown to who follows the author of its target too, or is that; one to oneself to all. */
  const replyRule: Filter<HomeQuery, Item> = {
    name: 'reply_rule',
    keep: ({ reader, circle }, { post }) =>
      post.replyTo === 0 ||
      post.author === reader ||
      post.replyToAuthor === reader ||
      post.replyToAuthor === post.author ||
      follows(circle, post.replyToAuthor),
  }
  /** Of the reposts of one original, one that a newer entitled one follows within the window is left out. */
  const recentRepost: Filter<HomeQuery, Item> = {
    name: 'recent_repost',
    keep({ reposts }, { id, post }) {
      if (post.repostOf === 0) return true
      const until = repostWindowEnd(id)
      return !reposts.byOriginal.get(post.repostOf)?.some((other) => other > id && other <= until)
    },
  }
  const entitled = [deleted, visibility, repostedAuthor, replyRule]

  /** From the cache alone when it has everything: no promise on the way of most pages. */
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
    rememberReposts(query, items)
    const newest = items.find(({ post }) => post.repostOf > 0)
    if (newest !== undefined) await lookAbove(query, items, repostWindowEnd(newest.id))
    return items
  }

  function rememberReposts(query: HomeQuery, items: readonly Item[]): void {
    const { reposts } = query
    // They are met again on the way of the page, and counted there.
    const uncounted = { ...query, stats: { entries: 0, dead: 0, isTimelineLost: false } }
    for (const item of items) {
      const original = item.post.repostOf
      if (original === 0 || !entitled.every((filter) => filter.keep(uncounted, item))) continue
      const known = reposts.byOriginal.get(original)
      if (known === undefined) reposts.byOriginal.set(original, [item.id])
      else if (!known.includes(item.id)) known.push(item.id)
    }
  }

  /**
   * A page from a cursor has not met the reposts above it: looks for those of each original once, as far up as
   * the window of its newest repost here reaches; the window of an older one ends below that.
   */
  async function lookAbove(query: HomeQuery, items: readonly Item[], until: number): Promise<void> {
    const { start, lookedFor } = query.reposts
    const hashes = new Set(
      items.flatMap(({ post }) => (post.repostOf > 0 ? [repostHash(post.repostOf)] : [])),
    )
    for (const hash of hashes) if (lookedFor.has(hash)) hashes.delete(hash)
    if (until < start || hashes.size === 0) return
    const above: HomeQuery = { ...query, stats: { entries: 0, dead: 0, isTimelineLost: false } }
    for (let below = until + 1; below > start;) {
      const round = await readRound(env, pipeline, above, { below, atLeast: start, limit: 200 }, query.failed)
      const reposts = round.candidates.filter(
        (candidate) =>
          (candidate.kind & KIND.repost) !== 0 &&
          hashes.has(candidate.kind >>> 3) &&
          pipeline.early.every((filter) => filter.keep(above, candidate)),
      )
      rememberReposts(query, await hydrateItems(posts, reposts))
      below = round.lower
    }
    for (const hash of hashes) lookedFor.add(hash)
  }

  const pipeline = definePipeline<HomeQuery, Candidate, Item>({
    lead: timelineEntries,
    sources: [pulledOutboxes, ownPosts],
    early: [ofMyPeople, blocked, muted],
    hydrate,
    filters: [...entitled, recentRepost],
    recheck(query, items) {
      const now = graph.circles.of(query.reader)
      if (now === query.circle) return items.filter((item) => deleted.keep(query, item))
      return recheckWith(query, items, now)
    },
  })

  async function recheckWith(query: HomeQuery, items: readonly Item[], now: Maybe<Circle>): Promise<Item[]> {
    query.circle = await now
    const rules = [ofMyPeople, blocked, muted, ...entitled]
    return items.filter((item) => rules.every((rule) => rule.keep(query, { ...item, kind: 0 })))
  }

  return pipeline
}

/** The newest id that lies within the repost window above `id`. */
const repostWindowEnd = (id: number): number => idFloorAt(idTimeMs(id) + LIMITS.repostWindowMs + TICK_MS) - 1

/** Followees that a window reaching down to `atLeast` must pull: the few with marks, and those not backfilled. */
function createPulledLists(graph: Graph) {
  const { marks } = graph
  const lists = new WeakMap<Circle, { shape: number; marked: number[] }>()
  return (circle: Circle, atLeast: number): number[] => {
    let list = lists.get(circle)
    if (list === undefined || list.shape !== marks.shape) {
      const marked = Array.from(circle.following).filter((followee) => marks.has(followee))
      lists.set(circle, (list = { shape: marks.shape, marked }))
    }
    const due = list.marked.filter((author) => marks.of(author, edgeBucket(circle.number, author)) >= atLeast)
    if (circle.unbackfilled.length === 0) return due
    return [...new Set([...due, ...circle.unbackfilled])]
  }
}

export type Home = ReturnType<typeof createHome>
