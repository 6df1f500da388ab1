/**
 * The replies or reposts of a post in the order of their ids, from its rows (`engagementsTable`). Rows stand oldest
 * first, and stores read forwards only: the latest are found by reading windows of ids from the end on.
 */

import { idFloorAt, ID_MAX } from '../../core/ids.ts'
import { parseKey } from '../../core/keys.ts'
import type { Env } from '../../ports/env/env.ts'
import type { Store } from '../../ports/store/store.ts'
import { engagementsTable } from '../tables.ts'

export const ORDERS = ['latest', 'oldest'] as const
export type Order = (typeof ORDERS)[number]

/** The replies or reposts of one post. */
export interface AnswersOf {
  readonly target: number
  /** One of `ENGAGEMENT`. */
  readonly kind: number
}

/** Ids of answers in the asked order, and how many rows were read for them: rows of deleted answers remain. */
export interface Batch {
  readonly ids: readonly number[]
  readonly scanned: number
}

const ROWS = 256
/** Clocks of processes may be apart, so an id may lie ahead of this process's clock. */
const AHEAD_MS = 24 * 3_600_000

/** @param position the last id of the page before */
export function scanAnswers(
  { env, store }: { readonly env: Env; readonly store: Store },
  of: AnswersOf,
  order: Order,
  position: number | undefined,
): AsyncGenerator<Batch> {
  if (order === 'oldest') return oldestFirst(store, of, (position ?? 0) + 1)
  return latestFirst(store, of, position ?? idFloorAt(env.wallMs() + AHEAD_MS))
}

async function* oldestFirst(store: Store, of: AnswersOf, from: number): AsyncGenerator<Batch> {
  for (;;) {
    const rows = await readWindow(store, of, from, ID_MAX)
    yield batchOf(rows)
    if (rows.length < ROWS) return
    from = rows[rows.length - 1].id + 1
  }
}

/** Reads all ids at once, then only as many as hold about `ROWS` rows, by how densely they were found. */
async function* latestFirst(store: Store, of: AnswersOf, below: number): AsyncGenerator<Batch> {
  let to = below
  let span = to
  while (to > 0) {
    const from = Math.max(0, to - span)
    const rows = await readWindow(store, of, from, to)
    if (rows.length === ROWS) {
      // There may be more rows in the window, later than these. It halves at least, down to a single id.
      const dense = rows[rows.length - 1].id - rows[0].id
      span = Math.max(1, Math.min(Math.floor((to - from) / 2), dense))
      continue
    }
    yield batchOf(rows.reverse())
    to = from
    span *= 2
  }
}

interface Found {
  readonly id: number
  readonly on: boolean
}

const batchOf = (rows: readonly Found[]): Batch => ({
  ids: rows.flatMap(({ id, on }) => (on ? [id] : [])),
  scanned: rows.length,
})

/** @param to exclusive */
async function readWindow(
  store: Store,
  { target, kind }: AnswersOf,
  from: number,
  to: number,
): Promise<Found[]> {
  const { partition, sort } = engagementsTable.key(target, kind, from)
  const { sort: end } = engagementsTable.key(target, kind, to)
  const [rows] = await store.range([{ table: engagementsTable, partition, from: sort, to: end, limit: ROWS }])
  return rows.map((row) => ({
    id: parseKey(row.sort.slice(String(kind).length)),
    on: engagementsTable.decode(row).on,
  }))
}
