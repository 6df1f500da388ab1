/** Reads all rows of one kind from the circles of many accounts. */

import { parseKey, u32Key } from '../../core/keys.ts'
import type { TypedTable } from '../../engine/rows/tables.ts'
import type { Store } from '../../ports/store/store.ts'

export interface CircleRow<V> {
  /** The number of the other account; for a packed row, of the first one in it. */
  readonly other: number
  readonly value: V
}

const RANGE_LIMIT = 10_000

export async function readCircleRows<V>(
  store: Store,
  table: TypedTable<[number, number], V>,
  owners: ArrayLike<number>,
): Promise<CircleRow<V>[][]> {
  const to = String.fromCharCode(table.prefix.charCodeAt(0) + 1)
  const range = (owner: number, from: string) => ({
    table,
    partition: u32Key(owner),
    from,
    to,
    limit: RANGE_LIMIT,
  })
  const pages = await store.range(Array.from(owners, (owner) => range(owner, table.prefix)))
  return Promise.all(
    pages.map(async (page, i) => {
      const rows = [...page]
      for (let last = page; last.length === RANGE_LIMIT;) {
        ;[last] = await store.range([range(owners[i], `${last[last.length - 1].sort}0`)])
        rows.push(...last)
      }
      return rows.map((row) => ({
        other: parseKey(row.sort.slice(table.prefix.length)),
        value: table.decode(row),
      }))
    }),
  )
}
