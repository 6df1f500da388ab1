/**
 * Posts as JSON bytes. What is the same for every viewer is rendered once and kept on the post; what a viewer
 * adds are a few constant bytes. A page is copied together from those, with no object on the way.
 */

import { idTimeMs } from '../core/ids.ts'
import { authorBody, follows, isoTime, type Circle, type Graph } from '../graph/index.ts'
import { stitch } from '../http/bytes.ts'
import type { Item } from './items.ts'
import type { Post } from './posts.ts'
import type { HomePage } from './read.ts'
import { LANES, VISIBILITIES, VISIBILITY, type Receipt } from './tables.ts'

type Accounts = Graph['accounts']
type Account = NonNullable<ReturnType<Accounts['cached']>>
type Authors = ReadonlyMap<number, Account>

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
const NEXT_FOLLOWS = viewerThen('},')
const ORIGINAL_FOLLOWS = viewerThen(',"original":')
const ORIGINAL_LAST = viewerThen('}}')
const ORIGINAL_NEXT_FOLLOWS = viewerThen('}},')

export interface Renderer {
  /** One post, whole; `undefined` if its author is gone. */
  post(item: Item, viewer: Circle | undefined): Promise<Buffer | undefined>
  /** `{"posts":[…]` and then `rest`, which ends the object. */
  posts(items: readonly Item[], viewer: Circle | undefined, rest: string): Buffer | Promise<Buffer>
}

export function createRenderer(accounts: Accounts): Renderer {
  /** `undefined` when the cache does not hold all of them. */
  function cachedAuthors(items: readonly Item[]): Authors | undefined {
    const found = new Map<number, Account>()
    for (const { post, original } of items) {
      for (const number of original === undefined ? [post.author] : [post.author, original.author]) {
        if (found.has(number)) continue
        const account = accounts.cached(number)
        if (account === undefined) return undefined
        found.set(number, account)
      }
    }
    return found
  }

  async function loadedAuthors(items: readonly Item[]): Promise<Authors> {
    const numbers = new Set(
      items.flatMap(({ post, original }) =>
        original === undefined ? [post.author] : [post.author, original.author],
      ),
    )
    const found = await accounts.byNumbers([...numbers])
    return new Map(found.flatMap((account) => (account === undefined ? [] : [[account.number, account]])))
  }

  const authorsOf = (items: readonly Item[]) => cachedAuthors(items) ?? loadedAuthors(items)

  return {
    async post(item, viewer) {
      const parts = partsOf([item], viewer, await authorsOf([item]))
      return parts.length === 0 ? undefined : stitch(parts)
    },
    posts(items, viewer, rest) {
      const authors = authorsOf(items)
      return authors instanceof Promise
        ? authors.then((found) => page(items, viewer, found, rest))
        : page(items, viewer, authors, rest)
    },
  }
}

const PAGE_OPENS = Buffer.from('{"posts":[')

function page(items: readonly Item[], viewer: Circle | undefined, authors: Authors, rest: string): Buffer {
  const parts = partsOf(items, viewer, authors)
  parts.unshift(PAGE_OPENS)
  parts.push(Buffer.from(`]${rest}`))
  return stitch(parts)
}

/** A post whose author is gone is left out: nobody could say who speaks. */
function partsOf(items: readonly Item[], viewer: Circle | undefined, authors: Authors): Buffer[] {
  const whole = items.filter(
    ({ post, original }) =>
      authors.has(post.author) && (original === undefined || authors.has(original.author)),
  )
  const parts: Buffer[] = []
  whole.forEach(({ post, original }, i) => {
    const isLast = i === whole.length - 1
    const state = stateOf(post, viewer)
    parts.push(bodyOf(post, authors))
    if (original === undefined) return void parts.push((isLast ? LAST : NEXT_FOLLOWS)[state])
    const originalState = stateOf(original, viewer)
    parts.push(ORIGINAL_FOLLOWS[state], bodyOf(original, authors))
    parts.push((isLast ? ORIGINAL_LAST : ORIGINAL_NEXT_FOLLOWS)[originalState])
  })
  return parts
}

/** A post up to `"viewer":`. Counts never change on a post object: the next count comes with a new one. */
function bodyOf(post: Post, authors: Authors): Buffer {
  const author = authors.get(post.author) as Account
  if (post.json !== undefined && post.jsonAuthor === author) return post.json
  post.jsonAuthor = author
  return (post.json = Buffer.from(bodyText(post, author)))
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

/** To the second below: nothing finer is promised, and the text is made once a second. */
function asOf(horizon: number): string {
  const second = Math.floor(idTimeMs(horizon) / 1_000)
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
    tier: receipt === undefined ? tier : receipt.tier === 0 ? 'push' : 'pull',
    planned: receipt?.planned ?? 0,
    done: receipt?.done ?? 0,
    skipped_inactive: receipt?.skippedInactive ?? 0,
    lanes: Object.fromEntries(LANES.map((lane, at) => [lane, receipt?.lanes[at] ?? 0])),
    accepted_at: isoTime(acceptedAtMs),
    done_at: doneAtMs === undefined ? null : isoTime(doneAtMs),
    lag_ms: Math.max(0, (doneAtMs ?? nowMs) - acceptedAtMs),
  }
}

function doneAt(post: Post, receipt: Receipt | undefined): number | undefined {
  // Its author reads it from the outbox: it travels nowhere.
  if (post.visibility === VISIBILITY.self) return idTimeMs(post.id)
  return receipt === undefined || receipt.doneAtMs === 0 ? undefined : receipt.doneAtMs
}
