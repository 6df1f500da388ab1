/**
 * Posts as JSON bytes. What is the same for every viewer is rendered once and kept on the post; what a viewer
 * adds are a few constant bytes. A page is copied together from those, with no object on the way.
 */

import { idTimeMs, TICK_MS } from '../core/ids.ts'
import { authorBody, follows, isoTime, type Circle, type Graph } from '../graph/index.ts'
import { stitch } from '../http/bytes.ts'
import type { HomePage } from './home/page.ts'
import type { Item } from './posts/items.ts'
import type { Post } from './posts/posts.ts'
import { LANES, VISIBILITIES, VISIBILITY, type Receipt } from './tables.ts'

type Accounts = Graph['accounts']
type Account = NonNullable<ReturnType<Accounts['cached']>>
/** Who wrote what, as of a number of changes to accounts. */
interface Authors {
  of(number: number): Account | undefined
  readonly changes: number
}

/** How a viewer stands to a post: each a constant. */
const STATES = [
  'null',
  viewerJson(false, false),
  viewerJson(false, true),
  viewerJson(true, false),
  viewerJson(true, true),
]
const APPLICATION = 0
const stateOf = (post: Post, viewer: Circle | undefined): number =>
  viewer === undefined
    ? APPLICATION
    : 1 + (post.author === viewer.number ? 2 : 0) + (follows(viewer, post.author) ? 1 : 0)

function viewerJson(own: boolean, following: boolean): string {
  return JSON.stringify({ own, following_author: following })
}

const viewerThen = (end: string) => STATES.map((state) => Buffer.from(`${state}${end}`))
const LAST = viewerThen('}')
const ORIGINAL_FOLLOWS = viewerThen(',"original":')
const ORIGINAL_LAST = viewerThen('}}')
const COMMA = Buffer.from(',')

export interface Renderer {
  /** One post, whole; `undefined` if its author is gone. */
  post(item: Item, viewer: Circle | undefined): Promise<Buffer | undefined>
  /** `{"posts":[…]` and then `rest`, which ends the object. */
  posts(items: readonly Item[], viewer: Circle | undefined, rest: string): Buffer | Promise<Buffer>
}

export function createRenderer(accounts: Accounts): Renderer {
  async function loadedAuthors(items: readonly Item[]): Promise<Authors> {
    const { changes } = accounts
    const numbers = new Set(
      items.flatMap(({ post, original }) => [post.author, original?.author ?? post.author]),
    )
    const found = await accounts.byNumbers([...numbers])
    const byNumber = new Map(found.map((account) => [account?.number, account]))
    return { of: (number) => byNumber.get(number), changes }
  }

  return {
    async post(item, viewer) {
      const parts = partsOf([item], viewer, await loadedAuthors([item])).parts
      return parts.length === 0 ? undefined : stitch(parts)
    },
    posts(items, viewer, rest) {
      const { parts, missing } = partsOf(items, viewer, { of: accounts.cached, changes: accounts.changes })
      if (missing === 0) return page(parts, rest)
      return loadedAuthors(items).then((authors) => page(partsOf(items, viewer, authors).parts, rest))
    },
  }
}

const PAGE_OPENS = Buffer.from('{"posts":[')

function page(posts: Buffer[], rest: string): Buffer {
  posts.unshift(PAGE_OPENS)
  posts.push(Buffer.from(`]${rest}`))
  return stitch(posts)
}

/** A post whose author is not known is left out, and counted: nobody could say who speaks. */
function partsOf(items: readonly Item[], viewer: Circle | undefined, authors: Authors) {
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
    if (original === undefined || originalBody === undefined) parts.push(body, LAST[stateOf(post, viewer)])
    else {
      parts.push(body, ORIGINAL_FOLLOWS[stateOf(post, viewer)])
      parts.push(originalBody, ORIGINAL_LAST[stateOf(original, viewer)])
    }
  }
  return { parts, missing }
}

/** A post up to `"viewer":`. Counts never change on a post object: the next count comes with a new one. */
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
    counts: { replies: post.replies, reposts: post.reposts },
  })
  // `custom` is JSON already, and comes back as it was given.
  return `${head.slice(0, -1)},"custom":${post.custom ?? 'null'},${tail.slice(1, -1)},"viewer":`
}

const idOrNull = (id: number): string | null => (id > 0 ? String(id) : null)

/** What follows the posts of a feed page. Cursors are base64url: nothing in them needs an escape. */
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

/**
 * To the second below: nothing finer is promised, and the text is made once a second. The horizon may lie in the
 * middle of a tick, with posts of that same moment above it: the last tick that is whole is the one before.
 */
function asOf(horizon: number): string {
  const second = Math.floor((idTimeMs(horizon) - TICK_MS) / 1_000)
  if (second !== lastAsOf.second) lastAsOf = { second, text: isoTime(second * 1_000) }
  return lastAsOf.text
}
let lastAsOf = { second: Number.NaN, text: '' }

export const idsBody = (items: readonly Item[]): string =>
  `{"posts":[${items.map(({ id }) => `{"id":"${id}"}`).join(',')}]`

/** `receipt` is missing while the fan-out has not come to the post. */
export function receiptBody(post: Post, receipt: Receipt | undefined, tier: 'push' | 'pull', nowMs: number) {
  const acceptedAtMs = idTimeMs(post.id)
  const doneAtMs = doneAt(post, receipt)
  return {
    tier: receipt === undefined ? tierOf(post, tier) : receipt.tier === 0 ? 'push' : 'pull',
    planned: receipt?.planned ?? 0,
    done: receipt?.done ?? 0,
    skipped_inactive: receipt?.skippedInactive ?? 0,
    lanes: Object.fromEntries(LANES.map((lane, at) => [lane, receipt?.lanes[at] ?? 0])),
    accepted_at: isoTime(acceptedAtMs),
    done_at: doneAtMs === undefined ? null : isoTime(doneAtMs),
    lag_ms: Math.max(0, (doneAtMs ?? nowMs) - acceptedAtMs),
  }
}

/** A post for oneself is neither: it says so no more and no less after its author's tier has changed. */
const tierOf = (post: Post, authorTier: 'push' | 'pull') =>
  post.visibility === VISIBILITY.self ? 'push' : authorTier

function doneAt(post: Post, receipt: Receipt | undefined): number | undefined {
  // Its author reads it from the outbox: it travels nowhere.
  if (post.visibility === VISIBILITY.self) return idTimeMs(post.id)
  return receipt === undefined || receipt.doneAtMs === 0 ? undefined : receipt.doneAtMs
}
