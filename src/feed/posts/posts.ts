/**
 * Posts by id, through a cache bounded in bytes. All readers share the cached object: a delete sets its flag before
 * the deleter gets an answer, so that a page under way, which holds the object, sees it at its last check.
 */

import { LRUCache } from 'lru-cache'
import type { Struct } from '../../core/codec.ts'
import type { Store } from '../../ports/store/store.ts'
import { postCountsTable, postsTable, type postFields, type PostRow } from '../tables.ts'

export interface Post extends Readonly<Omit<PostRow, 'deleted'>> {
  deleted: boolean
  replies: number
  reposts: number
  likes: number
  /** The part that is the same for every viewer, as JSON; made when the post is first served (`render.ts`). */
  json: Buffer | undefined
  /** The cached account that `json` shows as author. If the cache holds another object, the author changed. */
  jsonAuthor: object | undefined
  /** `Accounts.changes` when that was last checked: while it is the same, no account has changed since. */
  jsonChanges: number
}

export interface Posts {
  cached(id: number): Post | undefined
  /** Posts by id; reads those that are not cached in one batch, and caches them. */
  load(ids: readonly number[]): Promise<ReadonlyMap<number, Post>>
  get(id: number): Promise<Post | undefined>
  /** Caches a new post, so that its first reader need not load it. */
  created(id: number, body: Struct<typeof postFields>): void
  /** Removes a post from the cache, because its row or its counts changed. */
  drop(id: number): void
  markDeleted(id: number): void
  clear(): void
}

/** Estimates on the safe side, for the object, its text, and the JSON made of it. */
const BYTES_A_POST = 1_000
const BYTES_A_CHARACTER = 5
/** In a set of changed ids (it is no id): every post may have changed. */
const EVERYTHING = 0

/** Field by field, because a spread of so many fields takes several times as long. */
const newPost = (id: number, body: Struct<typeof postFields>, deleted: boolean): Post => ({
  id,
  author: body.author,
  visibility: body.visibility,
  content: body.content,
  custom: body.custom,
  replyTo: body.replyTo,
  replyToAuthor: body.replyToAuthor,
  repostOf: body.repostOf,
  repostOfAuthor: body.repostOfAuthor,
  clientRef: body.clientRef,
  deleted,
  replies: 0,
  reposts: 0,
  likes: 0,
  json: undefined,
  jsonAuthor: undefined,
  jsonChanges: 0,
})

export function createPosts(store: Store, cacheBytesMax: number): Posts {
  const cache = new LRUCache<number, Post>({
    maxSize: cacheBytesMax,
    maxEntrySize: cacheBytesMax,
    sizeCalculation: (post) =>
      BYTES_A_POST + BYTES_A_CHARACTER * ((post.content?.length ?? 0) + (post.custom?.length ?? 0)),
  })
  /** For each load under way, the posts that changed meanwhile: their rows may be old ones, and are not cached. */
  const loads = new Set<Set<number>>()

  async function load(ids: readonly number[]): Promise<Map<number, Post>> {
    const found = new Map<number, Post>()
    const missing: number[] = []
    for (const id of ids) {
      const post = cache.get(id)
      if (post !== undefined) found.set(id, post)
      else missing.push(id)
    }
    if (missing.length === 0) return found
    const changed = new Set<number>()
    loads.add(changed)
    try {
      const rows = await store.get(missing.flatMap((id) => [postsTable.key(id), postCountsTable.key(id)]))
      missing.forEach((id, i) => {
        const [row, counts] = [rows[2 * i], rows[2 * i + 1]]
        if (row === undefined) return
        const stored = postsTable.decode(row)
        const post = newPost(id, stored, stored.deleted)
        if (counts !== undefined) Object.assign(post, postCountsTable.decode(counts))
        found.set(id, post)
        if (!changed.has(id) && !changed.has(EVERYTHING)) cache.set(id, post)
      })
    } finally {
      loads.delete(changed)
    }
    return found
  }

  function drop(id: number): void {
    for (const changed of loads) changed.add(id)
    cache.delete(id)
  }

  return {
    cached: (id) => cache.get(id),
    load,
    get: async (id) => cache.get(id) ?? (await load([id])).get(id),
    created(id, body) {
      // A post that is cached already was loaded from its row, which is at least as new as this event.
      if (cache.has(id)) return
      cache.set(id, newPost(id, body, false))
    },
    drop,
    markDeleted(id) {
      const post = cache.get(id)
      if (post !== undefined) post.deleted = true
      drop(id)
    },
    clear() {
      cache.clear()
      // Rows that are being loaded may be old ones, too.
      for (const changed of loads) changed.add(EVERYTHING)
    },
  }
}
