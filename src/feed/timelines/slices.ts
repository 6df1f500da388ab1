/** Stretches of one author's outbox, and how they are read from the store. */

import { ID_MAX } from '../../core/ids.ts'
import { idKeyDesc, parseIdKeyDesc } from '../../core/keys.ts'
import type { Row, RowRange, Store } from '../../ports/store/store.ts'
import { outboxTable } from '../tables.ts'

/**
 * Every post of one outbox with an id in [`lower`, below): the columns `ids` and `kinds` from `start` to `end`, oldest
 * first. The columns may be the cache's own arrays; their elements between `start` and `end` never change.
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

/** In one round trip, but for outboxes whose newest rows are all of deleted posts. */
export async function readSlices(store: Store, requests: readonly OutboxRequest[]): Promise<OutboxSlice[]> {
  const pages = await store.range(requests.map(rangeOf))
  const slices = new Array<OutboxSlice>(requests.length)
  for (let i = 0; i < requests.length; i++) {
    const slice = sliceOf(store, requests[i], pages[i])
    slices[i] = slice instanceof Promise ? await slice : slice
  }
  return slices
}

function rangeOf({ author, below, limit }: OutboxRequest): RowRange {
  const { partition } = outboxTable.key(author, 0)
  // Keys descend: ids below another one come after its key.
  const from = below > ID_MAX ? '' : `${idKeyDesc(below)}0`
  return { table: outboxTable, partition, from, limit }
}

/** Skips rows of deleted posts; if a page holds nothing else, goes on with the next one. */
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
