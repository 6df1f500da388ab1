/** Reads a whole table page by page, to load it into memory, to check it or to move it. */

import type { RowKey, Store } from '../../ports/store/store.ts'
import type { TypedTable } from './tables.ts'

const PAGE_ROWS = 1_000

export async function* scanAll<V>(store: Store, table: TypedTable<any, V>): AsyncGenerator<V> {
  let after: RowKey | undefined
  for (;;) {
    const rows = await store.scan(table, after, PAGE_ROWS)
    for (const row of rows) if (row.sort.startsWith(table.prefix)) yield table.decode(row)
    if (rows.length < PAGE_ROWS) return
    after = rows[rows.length - 1]
  }
}
