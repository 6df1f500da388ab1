/**
 * Posts as JSON bytes. The part of a post that is the same for every viewer is rendered once and kept on the post; the
 * part that depends on the viewer is one of a few constants. A page is copied together from these buffers, without
 * making an object for each post.
 */

import { idTimeMs, TICK_MS } from '../core/ids.ts'
import { authorBody, follows, isoTime, type Circle, type Graph } from '../graph/index.ts'
import { stitch } from '../http/bytes.ts'
import type { HomePage } from './home/page.ts'
import type { KnownLikes, ViewerLikes } from './likes/viewer-likes.ts'
import type { Item } from './posts/items.ts'
import type { Post } from './posts/posts.ts'
import type { Receipt } from '../engine/fanout/tables.ts'
import type { ListPage } from './profile.ts'
import { LANES, VISIBILITIES, VISIBILITY, type PostCounts } from './tables.ts'

type Accounts = Graph['accounts']
type Account = NonNullable<ReturnType<Accounts['cached']>>
/** Authors by account number, as they were after `changes` changes to accounts. */
interface Authors {
  of(number: number): Account | undefined
  readonly changes: number
}

/** All values of `viewer`, as JSON; `stateOf` gives the index of one. */
const STATES = [
  'null',
  ...[false, true].flatMap((liked) =>
    [false, true].flatMap((own) => [viewerJson(own, false, liked), viewerJson(own, true, liked)]),
  ),
]
const APPLICATION = 0
const stateOf = (post: Post, viewer: Circle | undefined, likes: KnownLikes | undefined): number =>
  viewer === undefined
    ? APPLICATION
    : 1 +
      (likes !== undefined && likes.get(post.id) === true ? 4 : 0) +
      (post.author === viewer.number ? 2 : 0) +
      (follows(viewer, post.author) ? 1 : 0)

function viewerJson(own: boolean, following: boolean, liked: boolean): string {
  return JSON.stringify({ own, following_author: following, liked })
}

const viewerThen = (end: string) => STATES.map((state) => Buffer.from(`${state}${end}`))
const LAST = viewerThen('}')
const ORIGINAL_FOLLOWS = viewerThen(',"original":')
const ORIGINAL_LAST = viewerThen('}}')
const COMMA = Buffer.from(',')

export interface Renderer {
  /** One post as a JSON object; `undefined` if its author is not known. */
  post(item: Item, viewer: Circle | undefined): Promise<Buffer | undefined>
  /** For each post the pieces of a JSON object; none if its author is not known. */
  pieces(items: readonly Item[], viewer: Circle | undefined): Promise<readonly (readonly Buffer[])[]>
  /** `{"posts":[…]`, followed by `rest`, which closes the object. */
  posts(items: readonly Item[], viewer: Circle | undefined, rest: string): Buffer | Promise<Buffer>
}

/** @param likes tells which of a page's posts the viewer likes */
export function createRenderer(accounts: Accounts, likes: Pick<ViewerLikes, 'among'>): Renderer {
  async function loadedAuthors(items: readonly Item[]): Promise<Authors> {
    const { changes } = accounts
    const numbers = new Set(
      items.flatMap(({ post, original }) => [post.author, original?.author ?? post.author]),
    )
    const found = await accounts.byNumbers([...numbers])
    const byNumber = new Map(found.map((account) => [account?.number, account]))
    return { of: (number) => byNumber.get(number), changes }
  }

  const likesAmong = (items: readonly Item[], viewer: Circle | undefined) =>
    viewer === undefined ? undefined : likes.among(viewer.number, items)

  /** Loads what rendering these items needs. @returns a function that renders some of them */
  async function loaded(items: readonly Item[], viewer: Circle | undefined) {
    const [authors, known] = await Promise.all([loadedAuthors(items), likesAmong(items, viewer)])
    return (some: readonly Item[]) => partsOf(some, { viewer, likes: known }, authors).parts
  }

  return {
    async pieces(items, viewer) {
      const render = await loaded(items, viewer)
      return items.map((item) => render([item]))
    },
    async post(item, viewer) {
      const parts = (await loaded([item], viewer))([item])
      return parts.length === 0 ? undefined : stitch(parts)
    },
    posts(items, viewer, rest) {
      const known = likesAmong(items, viewer)
      if (!(known instanceof Promise)) {
        const authors = { of: accounts.cached, changes: accounts.changes }
        const { parts, missing } = partsOf(items, { viewer, likes: known }, authors)
        if (missing === 0) return page(parts, rest)
      }
      return loaded(items, viewer).then((render) => page(render(items), rest))
    },
  }
}

const PAGE_OPENS = Buffer.from('{"posts":[')

function page(posts: Buffer[], rest: string): Buffer {
  posts.unshift(PAGE_OPENS)
  posts.push(Buffer.from(`]${rest}`))
  return stitch(posts)
}

/** Who looks at a page. */
interface Eyes {
  readonly viewer: Circle | undefined
  readonly likes: KnownLikes | undefined
}

/** Leaves out posts whose author is not among `authors`, and counts them. */
function partsOf(items: readonly Item[], { viewer, likes }: Eyes, authors: Authors) {
  const parts: Buffer[] = []
  let missing = 0
  for (let i = 0; i < items.length; i++) {
    const { post, original } = items[i]
    const body = bodyOf(post, authors)
    const originalBody = original === undefined ? undefined : bodyOf(original, authors)
    if (body === undefined || (original !== undefined && originalBody === undefined)) {
      missing++
      continue
    }
    if (parts.length > 0) parts.push(COMMA)
    if (original === undefined || originalBody === undefined)
      parts.push(body, LAST[stateOf(post, viewer, likes)])
    else {
      parts.push(body, ORIGINAL_FOLLOWS[stateOf(post, viewer, likes)])
      parts.push(originalBody, ORIGINAL_LAST[stateOf(original, viewer, likes)])
    }
  }
  return { parts, missing }
}

/** A post up to `"viewer":`, rendered again only if its author changed: when counts change, the post is a new object. */
function bodyOf(post: Post, authors: Authors): Buffer | undefined {
  if (post.json !== undefined && post.jsonChanges === authors.changes) return post.json
  const author = authors.of(post.author)
  if (author === undefined) return undefined
  if (post.jsonAuthor !== author) post.json = Buffer.from(bodyText(post, author))
  post.jsonAuthor = author
  post.jsonChanges = authors.changes
  return post.json
}

function bodyText(post: Post, author: Account): string {
  const head = JSON.stringify({
    id: String(post.id),
    author: authorBody(author),
    content: post.content ?? null,
  })
  const tail = JSON.stringify({
    visibility: VISIBILITIES[post.visibility],
    reply_to: idOrNull(post.replyTo),
    repost_of: idOrNull(post.repostOf),
    client_ref: post.clientRef ?? null,
    created_at: isoTime(idTimeMs(post.id)),
    counts: countsBody(post),
  })
  // `custom` is JSON text already.
  return `${head.slice(0, -1)},"custom":${post.custom ?? 'null'},${tail.slice(1, -1)},"viewer":`
}

export const countsBody = ({ replies, reposts, likes }: PostCounts) => ({ replies, reposts, likes })

const idOrNull = (id: number): string | null => (id > 0 ? String(id) : null)

/** What follows the posts of a feed page. Cursors are base64url, in which nothing needs to be escaped. */
export function feedRest({
  nextCursor,
  after,
  hasMore,
  complete,
  horizon,
  gap,
  failedSources,
}: HomePage): string {
  return (
    `,"next_cursor":${nextCursor === undefined ? 'null' : `"${nextCursor}"`},"after":"${after}"` +
    `,"has_more":${hasMore},"complete":${complete},"as_of":"${asOf(horizon)}"` +
    `${gap ? ',"gap":true' : ''},"failed_sources":${JSON.stringify(failedSources)}}`
  )
}

/** What follows the posts of a list's page. */
export const listRest = ({ nextCursor, hasMore }: ListPage): string =>
  `,"next_cursor":${nextCursor === undefined ? 'null' : `"${nextCursor}"`},"has_more":${hasMore}}`

/**
 * The time up to which a page is complete, rounded down to a second, so that its text is made once a second only. The
 * horizon may lie in the middle of a tick, with posts of the same tick above it, so only the tick before it counts.
 */
function asOf(horizon: number): string {
  const second = Math.floor((idTimeMs(horizon) - TICK_MS) / 1_000)
  if (second !== lastAsOf.second) lastAsOf = { second, text: isoTime(second * 1_000) }
  return lastAsOf.text
}
let lastAsOf = { second: Number.NaN, text: '' }

export const idsBody = (items: readonly Item[]): string =>
  `{"posts":[${items.map(({ id }) => `{"id":"${id}"}`).join(',')}]`

/** @param receipt `undefined` while fan-out has not reached the post; `tier` is then the one to be expected */
export function receiptBody(post: Post, receipt: Receipt | undefined, tier: 'push' | 'pull', nowMs: number) {
  const acceptedAtMs = idTimeMs(post.id)
  const doneAtMs = doneAt(post, receipt)
  return {
    tier: receipt === undefined ? tierOf(post, tier) : receipt.tier === 0 ? 'push' : 'pull',
    planned: receipt?.planned ?? 0,
    done: receipt?.done ?? 0,
    skipped_inactive: receipt?.skipped ?? 0,
    lanes: Object.fromEntries(LANES.map((lane, at) => [lane, receipt?.lanes[at] ?? 0])),
    accepted_at: isoTime(acceptedAtMs),
    done_at: doneAtMs === undefined ? null : isoTime(doneAtMs),
    lag_ms: Math.max(0, (doneAtMs ?? nowMs) - acceptedAtMs),
  }
}

/** A post for its author only is neither pushed nor pulled: it says `push` always, whatever its author's tier is. */
const tierOf = (post: Post, authorTier: 'push' | 'pull') =>
  post.visibility === VISIBILITY.self ? 'push' : authorTier

function doneAt(post: Post, receipt: Receipt | undefined): number | undefined {
  // Only its author sees it, and reads it from the outbox: there is no fan-out to wait for.
  if (post.visibility === VISIBILITY.self) return idTimeMs(post.id)
  return receipt === undefined || receipt.doneAtMs === 0 ? undefined : receipt.doneAtMs
}
