/** Reads many rows page by page. */

import type { Row, RowKey, Store } from '../../ports/store/store.ts'
import type { TypedTable } from './tables.ts'

const PAGE_ROWS = 1_000

/** All rows of a table, in no useful order: for tables that live in memory, for checks and for moves. */
export async function* scanAll<V>(store: Store, table: TypedTable<any, V>): AsyncGenerator<V> {
  let after: RowKey | undefined
  for (;;) {
    const rows = await store.scan(table, after, PAGE_ROWS)
    for (const row of rows) if (row.sort.startsWith(table.prefix)) yield table.decode(row)
    if (rows.length < PAGE_ROWS) return
    after = rows[rows.length - 1]
  }
}

export interface Placed<V> {
  readonly value: V
  /** Sort key without the table's prefix: where to begin to read this row and those behind it. */
  readonly at: string
}

/**
 * Rows of one partition in the order of their sort keys, from one on, as pages of up to `pageRows` (≤ 10,000). Nothing
 * is read beyond the page that is asked for.
 * @param from sort key without the table's prefix
 */
export async function* pagesOf<V>(
  store: Store,
  table: TypedTable<any, V>,
  partition: string,
  from = '',
  pageRows = PAGE_ROWS,
): AsyncGenerator<readonly Placed<V>[]> {
  const { prefix } = table
  const placed = (row: Row): Placed<V> => ({ value: table.decode(row), at: row.sort.slice(prefix.length) })
  for (let at = prefix + from; ;) {
    const range = { table, partition, from: at, limit: pageRows }
    const [rows] = await store.range([prefix === '' ? range : { ...range, to: endOf(prefix) }])
    yield rows.map(placed)
    if (rows.length < pageRows) return
    // The least sort key above the last one.
    at = `${rows[rows.length - 1].sort}\u0001`
  }
}

/** The least sort key above all that begin with the prefix. */
const endOf = (prefix: string): string =>
  prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
