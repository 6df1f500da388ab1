/** Rows of a whole table, a page at a time, with their keys. */

import type { TypedTable } from '../../engine/rows/tables.ts'
import type { Row, RowKey, Store } from '../../ports/store/store.ts'

const PAGE_ROWS = 1_000

export async function* scanPages(store: Store, table: TypedTable<any, unknown>): AsyncGenerator<Row[]> {
  let after: RowKey | undefined
  for (;;) {
    const rows = await store.scan(table, after, PAGE_ROWS)
    if (rows.length > 0) yield rows.filter((row) => row.sort.startsWith(table.prefix))
    if (rows.length < PAGE_ROWS) return
    after = rows[rows.length - 1]
  }
}

export const sum = (values: ArrayLike<number>): number => {
  let total = 0
  for (let i = 0; i < values.length; i++) total += values[i]
  return total
}
