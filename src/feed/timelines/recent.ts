/**
 * The newest posts of authors, in memory, to which new posts are appended as they are projected. Bounded in posts; the
 * author who was least recently read is evicted first.
 */

import { LRUCache } from 'lru-cache'
import { ID_MAX } from '../../core/ids.ts'
import { LIMITS } from '../../core/limits.ts'
import { lowerBound } from '../../core/sorted.ts'
import type { OutboxRequest, OutboxSlice } from './slices.ts'

/** Most of one author's outbox that is kept, give or take a factor of two. */
export const CACHED_ENTRIES = LIMITS.outboxCacheEntries
/** Every author counts as so many posts more than they have. */
const ENTRIES_AN_AUTHOR = 16
/** An outbox that grows is counted anew after so many posts. */
const COUNTED_ENTRIES = 16

/** The newest posts of an author, oldest first, complete for ids ≥ `from`. */
interface Recent {
  ids: number[]
  kinds: number[]
  from: number
}

export interface RecentPosts {
  /** The slice, if all of it is in memory. Marks the author as read. */
  slice(request: OutboxRequest): OutboxSlice | undefined
  /** The same without marking it. */
  peek(request: OutboxRequest): OutboxSlice | undefined
  /** Takes in the newest posts of an author. */
  keep(author: number, slice: OutboxSlice): void
  /** How many posts of this author are in memory, and from which id on; `undefined` for none. */
  known(author: number): { readonly ids: readonly number[]; readonly from: number } | undefined
  posted(author: number, id: number, kind: number): void
  deleted(author: number, id: number): void
  clear(): void
}

export function createRecentPosts(entriesMax: number): RecentPosts {
  const cache = new LRUCache<number, Recent>({
    maxSize: entriesMax,
    sizeCalculation: ({ ids }) =>
      ENTRIES_AN_AUTHOR + Math.ceil(ids.length / COUNTED_ENTRIES) * COUNTED_ENTRIES,
  })

  return {
    slice: (request) => sliceIn(cache.get(request.author), request),
    peek: (request) => sliceIn(cache.peek(request.author), request),
    keep(author, { ids, kinds, lower }) {
      cache.set(author, { ids: [...ids], kinds: [...kinds], from: lower })
    },
    known: (author) => cache.peek(author),
    posted(author, id, kind) {
      const recent = cache.peek(author)
      if (recent === undefined) return
      const last = recent.ids[recent.ids.length - 1] ?? 0
      if (id <= last) return void (recent.ids.includes(id) || cache.delete(author))
      recent.ids.push(id)
      recent.kinds.push(kind)
      if (recent.ids.length >= 2 * CACHED_ENTRIES) {
        recent.ids = recent.ids.slice(-CACHED_ENTRIES)
        recent.kinds = recent.kinds.slice(-CACHED_ENTRIES)
        recent.from = recent.ids[0]
      }
      // A new object, because for the same one the cache would not compute the size again.
      if (recent.ids.length % COUNTED_ENTRIES === 1) cache.set(author, { ...recent })
    },
    deleted(author, id) {
      const recent = cache.peek(author)
      const at = recent?.ids.indexOf(id) ?? -1
      if (recent === undefined || at < 0) return
      // Into new arrays: slices that readers hold name their posts by index in the old ones.
      recent.ids = recent.ids.toSpliced(at, 1)
      recent.kinds = recent.kinds.toSpliced(at, 1)
    },
    clear: () => cache.clear(),
  }
}

function sliceIn(recent: Recent | undefined, { below, limit }: OutboxRequest): OutboxSlice | undefined {
  if (recent === undefined) return undefined
  const end = below > ID_MAX ? recent.ids.length : lowerBound(recent.ids, below)
  const start = Math.max(0, end - limit)
  if (start === 0 && recent.from > 0 && end - start < limit) return undefined
  const { ids, kinds } = recent
  return { ids, kinds, start, end, lower: start === 0 && recent.from === 0 ? 0 : ids[start] }
}
