/**
 * Reads a whole table by pages, in Cassandra's order: by the token of the partition, within a token by the bytes of the
 * partition, within a partition by sort key.
 */

import type { types } from 'cassandra-driver'
import type { CassandraClient, Statement } from './client.ts'
import { readRows } from './reader.ts'
import { fromCqlPartition, endOf, type Statements, toCqlPartition, toRow } from './tables.ts'
import type { RowKey, ScannedRow, Table } from '../store.ts'

/** Partitions with the same token. A table has two of them only if somebody chose their names for it. */
const TWINS_PAGE_ROWS = 1_000

export async function scanCassandra(
  client: CassandraClient,
  statements: Statements,
  page: { table: Table; after: RowKey | undefined; limit: number; nowMs: number },
): Promise<ScannedRow[]> {
  const { table, after, limit, nowMs } = page
  const rows: ScannedRow[] = []
  const take = async (statement: Statement, partition?: string) => {
    const read = (raw: types.Row) => {
      const key = { table, partition: partition ?? fromCqlPartition(raw.partition as string) }
      const row = toRow({ ...key, sort: raw.sort as string }, raw, nowMs)
      const expiresAtMs = endOf(table, raw)
      return row === undefined || expiresAtMs === undefined ? row : { ...row, expiresAtMs }
    }
    for (const row of await readRows(client, statement, limit - rows.length, read)) rows.push(row)
    return rows.length === limit
  }
  if (after === undefined) {
    await take({ query: statements.scan, params: [] })
    return rows
  }
  const key = toCqlPartition(after.partition)
  if (await take({ query: statements.after, params: [key, after.sort] }, after.partition)) return rows
  for (const twin of await twinsAfter(client, statements, key)) {
    const isFull = await take({ query: statements.from, params: [twin, ''] }, fromCqlPartition(twin))
    if (isFull) return rows
  }
  await take({ query: statements.scanBeyond, params: [key] })
  return rows
}

/** The partitions after this one that have the same token; a query beyond its token would leave them out. */
async function twinsAfter(client: CassandraClient, statements: Statements, key: string): Promise<string[]> {
  const twins: string[] = []
  let from: string | undefined
  do {
    const statement = { query: statements.sameToken, params: [key] }
    const page = await client.read(statement, { rows: TWINS_PAGE_ROWS, from })
    for (const raw of page.rows) {
      const partition = raw.partition as string
      if (Buffer.compare(Buffer.from(partition), Buffer.from(key)) > 0) twins.push(partition)
    }
    from = page.next
  } while (from !== undefined)
  return twins
}
