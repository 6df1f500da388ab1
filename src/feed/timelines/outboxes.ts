/**
 * Authors' own posts, newest first: the pull source. What was read of an outbox stays in memory for a while, in arrays
 * that the projector appends to, so that readers who follow the same author share one read, and a page that is asked
 * for again goes on where the first try had come. Outboxes that are read together are one batch, and one that is
 * being read is not read twice.
 */

import { LRUCache } from 'lru-cache'
import { LIMITS } from '../../core/limits.ts'
import { ID_MAX } from '../../core/ids.ts'
import { idKeyDesc, parseIdKeyDesc } from '../../core/keys.ts'
import { lowerBound } from '../../core/sorted.ts'
import type { Row, RowRange, Store } from '../../ports/store/store.ts'
import { outboxTable } from '../tables.ts'

/**
 * A stretch of one outbox: every post of it with an id in [`lower`, below), as the columns `ids` and `kinds` have them
 * from `start` to `end`, oldest first. They are the arrays in memory, in which what stands is never changed.
 */
export interface OutboxSlice {
  readonly ids: readonly number[]
  readonly kinds: readonly number[]
  readonly start: number
  readonly end: number
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
  /** In the order of the requests. No promise where all of it is in memory. */
  read(requests: readonly OutboxRequest[]): readonly OutboxSlice[] | Promise<readonly OutboxSlice[]>
  /** Of how many of these nothing below that id is in memory, though there may be something. */
  missing(authors: ArrayLike<number>, below: number): number
  posted(author: number, id: number, kind: number): void
  deleted(author: number, id: number): void
  clear(): void
  /** Outboxes that were found in memory, and such that were read from the store. */
  readonly stats: { hits: number; loads: number }
}

/** Of all cached outboxes, at 16 bytes each; most authors have few. */
const ENTRIES_MAX = 5_000_000
const ENTRIES_AN_AUTHOR = 16
/** An outbox that grows is counted anew after so many posts. */
const COUNTED_ENTRIES = 16
const CACHED_ENTRIES = LIMITS.outboxCacheEntries
/** Of an outbox that nobody has asked for yet: what a seek costs anyway, and enough for nearly every page. */
const FIRST_ENTRIES = 64

/** Some outboxes that are read together. */
interface Load {
  promise: Promise<void>
}

/** @param entriesMax posts in memory, each author counted as 16 more; 16 bytes each */
export function createOutboxes(store: Store, entriesMax = ENTRIES_MAX): Outboxes {
  const cache = new LRUCache<number, Recent>({
    maxSize: entriesMax,
    sizeCalculation: ({ ids }) =>
      ENTRIES_AN_AUTHOR + Math.ceil(ids.length / COUNTED_ENTRIES) * COUNTED_ENTRIES,
  })
  const loading = new Map<number, Load>()
  const stats = { hits: 0, loads: 0 }

  /** Whoever reads it keeps it from being driven out. */
  const touched = (request: OutboxRequest) => sliceIn(cache.get(request.author), request)
  const peeked = (request: OutboxRequest) => sliceIn(cache.peek(request.author), request)

  function sliceIn(recent: Recent | undefined, { below, limit }: OutboxRequest): OutboxSlice | undefined {
    if (recent === undefined) return undefined
    const end = below > ID_MAX ? recent.ids.length : lowerBound(recent.ids, below)
    const start = Math.max(0, end - limit)
    if (start === 0 && recent.from > 0 && end - start < limit) return undefined
    const { ids, kinds } = recent
    return { ids, kinds, start, end, lower: start === 0 && recent.from === 0 ? 0 : ids[start] }
  }

  async function fromStore(requests: readonly OutboxRequest[]): Promise<OutboxSlice[]> {
    stats.loads += requests.length
    const pages = await store.range(requests.map(rangeOf))
    const slices = new Array<OutboxSlice>(requests.length)
    for (let i = 0; i < requests.length; i++) {
      const slice = sliceOf(store, requests[i], pages[i])
      slices[i] = slice instanceof Promise ? await slice : slice
    }
    return slices
  }

  /** Brings the newest entries of these into memory. One that is changed meanwhile is not kept. */
  function load(authors: readonly number[], limit: number): Promise<void> {
    const load: Load = { promise: Promise.resolve() }
    for (const author of authors) loading.set(author, load)
    const requests = authors.map((author) => ({ author, below: Infinity, limit }))
    load.promise = fromStore(requests)
      .then((slices) => {
        slices.forEach(({ ids, kinds, lower }, i) => {
          if (loading.get(authors[i]) !== load) return
          cache.set(authors[i], { ids: [...ids], kinds: [...kinds], from: lower })
        })
      })
      .finally(() => {
        for (const author of authors) if (loading.get(author) === load) loading.delete(author)
      })
    return load.promise
  }

  /** How many entries are worth being kept for a request that memory could not answer; 0 where none are. */
  function loadedFor({ author, below, limit }: OutboxRequest): number {
    const recent = cache.peek(author)
    if (recent === undefined && limit <= FIRST_ENTRIES) return FIRST_ENTRIES
    if (limit > CACHED_ENTRIES) return 0
    // What is in memory already lies above what is asked for: more of the same would, too.
    if (recent !== undefined && (recent.ids.length >= CACHED_ENTRIES || below <= recent.from)) return 0
    return CACHED_ENTRIES
  }

  async function readMissing(
    requests: readonly OutboxRequest[],
    known: (OutboxSlice | undefined)[],
  ): Promise<OutboxSlice[]> {
    const isMissing = (_: OutboxRequest, i: number) => known[i] === undefined
    const awaited = new Set<Promise<void>>()
    const first = new Set<number>()
    const more = new Set<number>()
    for (const request of requests.filter(isMissing)) {
      const underWay = loading.get(request.author)
      const entries = underWay === undefined ? loadedFor(request) : 0
      if (underWay !== undefined) awaited.add(underWay.promise)
      else if (entries > 0) (entries === FIRST_ENTRIES ? first : more).add(request.author)
    }
    if (first.size > 0) awaited.add(load([...first], FIRST_ENTRIES))
    if (more.size > 0) awaited.add(load([...more], CACHED_ENTRIES))
    await Promise.all(awaited)
    const found = requests.map(peeked)
    if (!found.includes(undefined)) return found as OutboxSlice[]
    const rest = requests.filter((_, i) => found[i] === undefined)
    const loaded = new Map<OutboxRequest, OutboxSlice>()
    ;(await fromStore(rest)).forEach((slice, i) => loaded.set(rest[i], slice))
    // Of the same moment, all of them: what was in memory before may have changed, or gone to make room.
    const slices = requests.map((request) => loaded.get(request) ?? peeked(request))
    return slices.includes(undefined) ? readMissing(requests, slices) : (slices as OutboxSlice[])
  }

  return {
    stats,
    missing(authors, below) {
      let missing = 0
      for (let i = 0; i < authors.length; i++) {
        const recent = cache.peek(authors[i])
        if (recent === undefined || (recent.from > 0 && recent.from >= below)) missing++
      }
      return missing
    },
    read(requests) {
      const known = requests.map(touched)
      for (const slice of known) if (slice !== undefined) stats.hits++
      return known.includes(undefined) ? readMissing(requests, known) : (known as OutboxSlice[])
    },
    clear() {
      cache.clear()
      loading.clear()
    },
    posted(author, id, kind) {
      loading.delete(author)
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
      // Another object, or the cache would not ask again how large it is.
      if (recent.ids.length % COUNTED_ENTRIES === 1) cache.set(author, { ...recent })
    },
    deleted(author, id) {
      loading.delete(author)
      const recent = cache.peek(author)
      const at = recent?.ids.indexOf(id) ?? -1
      if (recent === undefined || at < 0) return
      // In new arrays: a slice that somebody holds says where in the old ones its posts are.
      recent.ids = recent.ids.toSpliced(at, 1)
      recent.kinds = recent.kinds.toSpliced(at, 1)
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
function sliceOf(
  store: Store,
  request: OutboxRequest,
  rows: readonly Row[],
): OutboxSlice | Promise<OutboxSlice> {
  const ids: number[] = []
  const kinds: number[] = []
  for (const row of rows) {
    const { on, kind } = outboxTable.decode(row)
    if (!on) continue
    ids.push(parseIdKeyDesc(row.sort))
    kinds.push(kind)
  }
  const slice = { ids: ids.reverse(), kinds: kinds.reverse(), start: 0, end: ids.length }
  if (rows.length < request.limit) return { ...slice, lower: 0 }
  const lower = parseIdKeyDesc(rows[rows.length - 1].sort)
  if (ids.length > 0) return { ...slice, lower }
  const next = { ...request, below: lower }
  return store.range([rangeOf(next)]).then(([page]) => sliceOf(store, next, page))
}
