/**
 * Authors' own posts, newest first: the pull source. Those of authors that are pulled again and again are
 * kept in memory, in arrays that the projector appends to; concurrent loads of one outbox are one load.
 */

import { LRUCache } from 'lru-cache'
import { LIMITS } from '../core/limits.ts'
import { ID_MAX } from '../core/ids.ts'
import { idKeyDesc, parseIdKeyDesc } from '../core/keys.ts'
import { lowerBound } from '../core/sorted.ts'
import type { Row, RowRange, Store } from '../ports/store/store.ts'
import { outboxTable } from './tables.ts'

/** A stretch of one outbox: every post of it with an id in [`lower`, below). Newest first. */
export interface OutboxSlice {
  readonly ids: readonly number[]
  readonly kinds: readonly number[]
  /** 0 when the outbox ends here. */
  readonly lower: number
}

export interface OutboxRequest {
  readonly author: number
  /** Exclusive. */
  readonly below: number
  readonly limit: number
}

/** The newest posts of an author, oldest first, complete for ids ≥ `from`. */
interface Recent {
  ids: number[]
  kinds: number[]
  from: number
}

export interface Outboxes {
  /** With `keep`, what is read from the store stays in memory. */
  read(
    requests: readonly OutboxRequest[],
    keep: boolean,
  ): readonly OutboxSlice[] | Promise<readonly OutboxSlice[]>
  posted(author: number, id: number, kind: number): void
  deleted(author: number, id: number): void
  clear(): void
  readonly stats: { hits: number; loads: number }
}

/** Of all cached outboxes, at 16 bytes each; most authors have few. */
const ENTRIES_MAX = 5_000_000
const ENTRIES_AN_AUTHOR = 16
const CACHED_ENTRIES = LIMITS.outboxCacheEntries

export function createOutboxes(store: Store): Outboxes {
  const cache = new LRUCache<number, Recent>({
    maxSize: ENTRIES_MAX,
    sizeCalculation: ({ ids }) => ENTRIES_AN_AUTHOR + ids.length,
  })
  const loading = new Map<number, Promise<Recent>>()
  const stats = { hits: 0, loads: 0 }

  function fromCache({ author, below, limit }: OutboxRequest): OutboxSlice | undefined {
    const recent = cache.get(author)
    if (recent === undefined) return undefined
    const end = below > ID_MAX ? recent.ids.length : lowerBound(recent.ids, below)
    const start = Math.max(0, end - limit)
    if (start === 0 && recent.from > 0 && end - start < limit) return undefined
    stats.hits++
    const ids = new Array<number>(end - start)
    const kinds = new Array<number>(end - start)
    for (let i = 0; i < ids.length; i++) {
      ids[i] = recent.ids[end - 1 - i]
      kinds[i] = recent.kinds[end - 1 - i]
    }
    return { ids, kinds, lower: start === 0 && recent.from === 0 ? 0 : ids[ids.length - 1] }
  }

  async function fromStore(requests: readonly OutboxRequest[]): Promise<OutboxSlice[]> {
    stats.loads += requests.length
    const pages = await store.range(requests.map(rangeOf))
    return Promise.all(pages.map((rows, i) => sliceOf(store, requests[i], rows)))
  }

  /** Loads the newest posts of an author. One that is changed meanwhile is used once and not kept. */
  function loadRecent(author: number): Promise<Recent> {
    const underWay = loading.get(author)
    if (underWay !== undefined) return underWay
    const load = fromStore([{ author, below: Infinity, limit: CACHED_ENTRIES }])
      .then(([slice]) => {
        const recent = { ids: [...slice.ids].reverse(), kinds: [...slice.kinds].reverse(), from: slice.lower }
        if (loading.get(author) === load) cache.set(author, recent)
        return recent
      })
      .finally(() => {
        if (loading.get(author) === load) loading.delete(author)
      })
    loading.set(author, load)
    return load
  }

  async function readMissing(
    requests: readonly OutboxRequest[],
    known: (OutboxSlice | undefined)[],
    keep: boolean,
  ): Promise<OutboxSlice[]> {
    const isMissing = (_: OutboxRequest, i: number) => known[i] === undefined
    if (keep) {
      const authors = new Set(requests.filter(isMissing).map((request) => request.author))
      const cold = [...authors].filter((author) => !cache.has(author))
      await Promise.all(cold.map(loadRecent))
      requests.forEach((request, i) => (known[i] ??= fromCache(request)))
    }
    const rest = requests.filter(isMissing)
    const loaded = rest.length > 0 ? await fromStore(rest) : []
    let next = 0
    return known.map((slice) => slice ?? loaded[next++])
  }

  return {
    stats,
    read(requests, keep) {
      const known = requests.map(fromCache)
      return known.includes(undefined) ? readMissing(requests, known, keep) : (known as OutboxSlice[])
    },
    clear() {
      cache.clear()
      loading.clear()
    },
    posted(author, id, kind) {
      loading.delete(author)
      const recent = cache.get(author)
      if (recent === undefined) return
      const last = recent.ids[recent.ids.length - 1] ?? 0
      if (id <= last) return void (recent.ids.includes(id) || cache.delete(author))
      recent.ids.push(id)
      recent.kinds.push(kind)
      if (recent.ids.length < 2 * CACHED_ENTRIES) return
      recent.ids = recent.ids.slice(-CACHED_ENTRIES)
      recent.kinds = recent.kinds.slice(-CACHED_ENTRIES)
      recent.from = recent.ids[0]
    },
    deleted(author, id) {
      loading.delete(author)
      const recent = cache.get(author)
      const at = recent?.ids.indexOf(id) ?? -1
      if (recent === undefined || at < 0) return
      recent.ids.splice(at, 1)
      recent.kinds.splice(at, 1)
    },
  }
}

function rangeOf({ author, below, limit }: OutboxRequest): RowRange {
  const { partition } = outboxTable.key(author, 0)
  // Keys descend: what is below an id comes after its key.
  const from = below > ID_MAX ? '' : `${idKeyDesc(below)}0`
  return { table: outboxTable, partition, from, limit }
}

/** Rows of deleted posts are skipped; a page of nothing but those is followed by the next one. */
async function sliceOf(store: Store, request: OutboxRequest, rows: readonly Row[]): Promise<OutboxSlice> {
  const ids: number[] = []
  const kinds: number[] = []
  for (let page = rows; ;) {
    for (const row of page) {
      const { on, kind } = outboxTable.decode(row)
      if (!on) continue
      ids.push(parseIdKeyDesc(row.sort))
      kinds.push(kind)
    }
    if (page.length < request.limit) return { ids, kinds, lower: 0 }
    const lower = parseIdKeyDesc(page[page.length - 1].sort)
    if (ids.length > 0) return { ids, kinds, lower }
    ;[page] = await store.range([rangeOf({ ...request, below: lower })])
  }
}
