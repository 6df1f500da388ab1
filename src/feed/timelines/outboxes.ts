/**
 * Authors' own posts, newest first: the source of every pull. Outboxes that were read stay in memory, so that readers
 * who follow the same author share one read, and a page that is asked for again continues where the first try stopped.
 * Outboxes that are read together are one batch; one that is being read is not read twice.
 */

import type { Store } from '../../ports/store/store.ts'
import { CACHED_ENTRIES, createRecentPosts, type RecentPosts } from './recent.ts'
import { readSlices, type OutboxRequest, type OutboxSlice } from './slices.ts'

export type { OutboxRequest, OutboxSlice }

export interface Outboxes {
  /** In the order of the requests. Gives no promise where all of it is in memory. */
  read(requests: readonly OutboxRequest[]): readonly OutboxSlice[] | Promise<readonly OutboxSlice[]>
  /** How many of these authors have nothing in memory below that id, though they may have posts there. */
  missing(authors: ArrayLike<number>, below: number): number
  posted(author: number, id: number, kind: number): void
  deleted(author: number, id: number): void
  clear(): void
  /** Outboxes that were found in memory, and those that were read from the store. */
  readonly stats: { hits: number; loads: number }
}

/** Of all authors; at 16 bytes each. Most authors have few. */
const ENTRIES_MAX = 5_000_000
/** How much of an outbox is read the first time: about what the seek costs anyway, and enough for nearly every page. */
const FIRST_ENTRIES = 64

/** @param entriesMax posts in memory, each author counted as 16 more; 16 bytes each */
export function createOutboxes(store: Store, entriesMax = ENTRIES_MAX): Outboxes {
  const recent = createRecentPosts(entriesMax)
  const stats = { hits: 0, loads: 0 }
  const fromStore = (requests: readonly OutboxRequest[]): Promise<OutboxSlice[]> => {
    stats.loads += requests.length
    return readSlices(store, requests)
  }
  const loads = createLoads(recent, fromStore)

  async function readMissing(
    requests: readonly OutboxRequest[],
    known: (OutboxSlice | undefined)[],
  ): Promise<OutboxSlice[]> {
    await loads.load(requests.filter((_, i) => known[i] === undefined))
    const found = requests.map(recent.peek)
    if (!found.includes(undefined)) return found as OutboxSlice[]
    const rest = requests.filter((_, i) => found[i] === undefined)
    const loaded = new Map<OutboxRequest, OutboxSlice>()
    ;(await fromStore(rest)).forEach((slice, i) => loaded.set(rest[i], slice))
    // All slices are taken at the same moment: those found before may have changed, or been evicted, meanwhile.
    const slices = requests.map((request) => loaded.get(request) ?? recent.peek(request))
    return slices.includes(undefined) ? readMissing(requests, slices) : (slices as OutboxSlice[])
  }

  return {
    stats,
    missing(authors, below) {
      let missing = 0
      for (let i = 0; i < authors.length; i++) {
        const known = recent.known(authors[i])
        if (known === undefined || (known.from > 0 && known.from >= below)) missing++
      }
      return missing
    },
    read(requests) {
      const known = requests.map(recent.slice)
      for (const slice of known) if (slice !== undefined) stats.hits++
      return known.includes(undefined) ? readMissing(requests, known) : (known as OutboxSlice[])
    },
    clear() {
      recent.clear()
      loads.abandonAll()
    },
    posted(author, id, kind) {
      loads.abandon(author)
      recent.posted(author, id, kind)
    },
    deleted(author, id) {
      loads.abandon(author)
      recent.deleted(author, id)
    },
  }
}

/** Some outboxes that are read together. */
interface Load {
  promise: Promise<void>
}

/** Brings the newest posts of outboxes into memory. */
function createLoads(
  recent: RecentPosts,
  fromStore: (requests: readonly OutboxRequest[]) => Promise<OutboxSlice[]>,
) {
  const loading = new Map<number, Load>()

  function loadNewest(authors: readonly number[], limit: number): Promise<void> {
    const load: Load = { promise: Promise.resolve() }
    for (const author of authors) loading.set(author, load)
    const requests = authors.map((author) => ({ author, below: Infinity, limit }))
    load.promise = fromStore(requests)
      .then((slices) => {
        slices.forEach((slice, i) => {
          if (loading.get(authors[i]) === load) recent.keep(authors[i], slice)
        })
      })
      .finally(() => {
        for (const author of authors) if (loading.get(author) === load) loading.delete(author)
      })
    return load.promise
  }

  /** How many posts are worth keeping for a request that memory could not answer; 0 for none. */
  function loadedFor({ author, below, limit }: OutboxRequest): number {
    const known = recent.known(author)
    if (known === undefined && limit <= FIRST_ENTRIES) return FIRST_ENTRIES
    if (limit > CACHED_ENTRIES) return 0
    // The request lies below what is in memory, and more of the newest posts would lie above it, too.
    if (known !== undefined && (known.ids.length >= CACHED_ENTRIES || below <= known.from)) return 0
    return CACHED_ENTRIES
  }

  return {
    /** Resolves once the outboxes of these requests that are worth keeping are in memory. */
    load(requests: readonly OutboxRequest[]): Promise<unknown> {
      const awaited = new Set<Promise<void>>()
      const first = new Set<number>()
      const more = new Set<number>()
      for (const request of requests) {
        const underWay = loading.get(request.author)
        const entries = underWay === undefined ? loadedFor(request) : 0
        if (underWay !== undefined) awaited.add(underWay.promise)
        else if (entries > 0) (entries === FIRST_ENTRIES ? first : more).add(request.author)
      }
      if (first.size > 0) awaited.add(loadNewest([...first], FIRST_ENTRIES))
      if (more.size > 0) awaited.add(loadNewest([...more], CACHED_ENTRIES))
      return Promise.all(awaited)
    },
    /** The author's outbox changes: a load under way may lack the change, and is not kept. */
    abandon: (author: number) => void loading.delete(author),
    abandonAll: () => loading.clear(),
  }
}
