/**
 * Which posts an account likes, for `viewer.liked`: read from the account's own rows, in one batch a page, and kept in
 * memory. A post that nobody likes is not looked up, so a page without a like costs nothing.
 */

import { LRUCache } from 'lru-cache'
import { LIMITS } from '../../core/limits.ts'
import type { Maybe } from '../../engine/read/stages.ts'
import type { Store } from '../../ports/store/store.ts'
import type { Item } from '../posts/items.ts'
import { likesTable } from '../tables.ts'

/** Whether the account likes a post, by the post's id. Never changed once it is made. */
export type KnownLikes = ReadonlyMap<number, boolean>

export interface ViewerLikes {
  /** Covers every post and original of these items that anybody likes; `undefined` where there is none. */
  among(viewer: number, items: readonly Item[]): Maybe<KnownLikes | undefined>
  has(viewer: number, post: number): Promise<boolean>
  /** The row of this pair may have changed. */
  changed(viewer: number, post: number): void
  clear(): void
}

/** Of all viewers; some 40 bytes each. */
const ENTRIES_MAX = 1_000_000
const ENTRIES_A_VIEWER = 16

interface Load {
  readonly viewer: number
  /** Set when a like of the viewer changed meanwhile: the rows may be old ones, and are not kept. */
  isOld: boolean
}

export function createViewerLikes(store: Store): ViewerLikes {
  const cache = new LRUCache<number, KnownLikes>({
    maxSize: ENTRIES_MAX,
    sizeCalculation: ({ size }) => ENTRIES_A_VIEWER + size,
  })
  const loads = new Set<Load>()

  async function load(viewer: number, posts: readonly number[], known?: KnownLikes): Promise<KnownLikes> {
    const under: Load = { viewer, isOld: false }
    loads.add(under)
    try {
      const rows = await store.get(posts.map((post) => likesTable.key(viewer, post)))
      const found = new Map(known)
      rows.forEach((row, i) => found.set(posts[i], row !== undefined && likesTable.decode(row).on))
      if (!under.isOld) keep(viewer, posts, found)
      return found
    } finally {
      loads.delete(under)
    }
  }

  /** Adds what was read to what is known by now, which another load may have extended. */
  function keep(viewer: number, posts: readonly number[], found: KnownLikes): void {
    const known = cache.get(viewer)
    const isFull = (known?.size ?? 0) + posts.length > LIMITS.knownLikesMax
    const next = new Map(isFull ? undefined : known)
    for (const post of posts) next.set(post, found.get(post) === true)
    cache.set(viewer, next)
  }

  return {
    among(viewer, items) {
      if (!items.some(isLiked)) return undefined
      const known = cache.get(viewer)
      const missing: number[] = []
      for (const { post, original } of items) {
        if (post.likes > 0 && known?.has(post.id) !== true) missing.push(post.id)
        if (original !== undefined && original.likes > 0 && known?.has(original.id) !== true) {
          missing.push(original.id)
        }
      }
      return missing.length === 0 ? known : load(viewer, missing, known)
    },
    async has(viewer, post) {
      return (cache.get(viewer) ?? NOTHING).get(post) ?? (await load(viewer, [post])).get(post) === true
    },
    changed(viewer, post) {
      for (const under of loads) if (under.viewer === viewer) under.isOld = true
      const known = cache.get(viewer)
      if (known?.has(post) !== true) return
      const next = new Map(known)
      next.delete(post)
      cache.set(viewer, next)
    },
    clear() {
      for (const under of loads) under.isOld = true
      cache.clear()
    },
  }
}

const NOTHING: KnownLikes = new Map()

const isLiked = ({ post, original }: Item): boolean =>
  post.likes > 0 || (original !== undefined && original.likes > 0)
