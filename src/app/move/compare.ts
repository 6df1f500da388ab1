/** Compares two stores table by table: the number of rows, and the sum of the digests of all rows. */

import { createHash } from 'node:crypto'
import type { ScannedRow, Store, Table } from '../../ports/store/store.ts'
import type { Progress } from '../import/progress.ts'
import { pagesOf } from './copy.ts'

export interface Comparison {
  readonly stores: readonly [Store, Store]
  readonly tables: readonly Table[]
  /** Rows that expire before this time are left out, because they may expire between the two scans. */
  readonly endsAfterMs: number
  readonly progress: Progress
}

const SUM_BITS = 64

/** @returns the tables that differ, each with how */
export async function differences({ stores, tables, endsAfterMs, progress }: Comparison): Promise<string[]> {
  const tick = progress('comparing')
  const different: string[] = []
  for (const [index, table] of tables.entries()) {
    const [one, other] = await Promise.all(stores.map((store) => sumOf(store, table, endsAfterMs)))
    if (one.rows !== other.rows) different.push(`${table.name} (${one.rows} and ${other.rows} rows)`)
    else if (one.sum !== other.sum) different.push(`${table.name} (other contents)`)
    tick(index + 1, tables.length)
  }
  return different
}

/** A sum does not depend on the order of rows, which is each store's own. */
async function sumOf(store: Store, table: Table, endsAfterMs: number) {
  let sum = 0n
  let rows = 0
  for await (const page of pagesOf(store, table)) {
    for (const row of page) {
      if (row.expiresAtMs !== undefined && row.expiresAtMs < endsAfterMs) continue
      sum = BigInt.asUintN(SUM_BITS, sum + digestOf(row))
      rows++
    }
  }
  return { sum, rows }
}

function digestOf({ partition, sort, version, value, expiresAtMs }: ScannedRow): bigint {
  const ends = expiresAtMs === undefined ? '' : Math.ceil(expiresAtMs)
  const hash = createHash('sha1').update(`${partition}\0${sort}\0${version}\0${ends}\0`).update(value)
  return hash.digest().readBigUInt64LE()
}
