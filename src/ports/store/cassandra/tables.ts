/**
 * Our tables in Cassandra: names, columns and statements.
 *
 *   versioned   (partition, sort) → value, expires_at; the row's version is its write time
 *   once        (partition, sort) → value, attempt; written only by lightweight transactions
 *
 * Rows of a table of kind `once` are never written with a write time of ours. A transaction takes its write time from the
 * clock; a plain write with an older one would be lost silently, and one with a newer one would beat every later write.
 */

import { types } from 'cassandra-driver'
import { assert } from '../../../core/errors.ts'
import { isExpired } from '../expiry.ts'
import type { Row, RowKey, Table } from '../store.ts'

const NAME = /^[a-z][a-z0-9_]{0,45}$/
const PREFIX = 't_'

export const COLUMNS = {
  versioned: { partition: 'text', sort: 'text', value: 'blob', expires_at: 'bigint' },
  once: { partition: 'text', sort: 'text', value: 'blob', attempt: 'uuid' },
} as const

/** The `expires_at` of rows without an end. Not null, because Cassandra stores a null as a tombstone. */
const NEVER = 2n ** 63n - 1n

export function cqlName(table: Table): string {
  assert(NAME.test(table.name), `table name ${table.name} does not fit Cassandra`)
  return PREFIX + table.name
}

export const isOurTable = (name: string): boolean => name.startsWith(PREFIX)

/** Stands for the empty partition, since Cassandra allows no empty partition key. No partition contains NUL. */
const EMPTY = '\0'
export const toCqlPartition = (partition: string): string => (partition === '' ? EMPTY : partition)
export const fromCqlPartition = (partition: string): string => (partition === EMPTY ? '' : partition)

export type Statements = ReturnType<typeof createStatements>

function createStatements(keyspace: string, table: Table) {
  const name = `${keyspace}.${cqlName(table)}`
  const columns =
    table.kind === 'once' ? 'sort, value' : 'sort, value, expires_at, WRITETIME(value) AS version'
  const slice = `SELECT ${columns} FROM ${name} WHERE partition = ? AND sort`
  const scan = `SELECT partition, ${columns} FROM ${name}`
  return {
    get: `${slice} = ?`,
    getMany: `${slice} IN ?`,
    from: `${slice} >= ?`,
    fromTo: `${slice} >= ? AND sort < ?`,
    after: `${slice} > ?`,
    scan,
    scanBeyond: `${scan} WHERE token(partition) > token(?)`,
    sameToken: `SELECT DISTINCT partition FROM ${name} WHERE token(partition) = token(?)`,
    write: `INSERT INTO ${name} (partition, sort, value, expires_at) VALUES (?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?`,
    insert: `INSERT INTO ${name} (partition, sort, value, attempt) VALUES (?, ?, ?, ?) IF NOT EXISTS`,
    standing: `SELECT value, attempt FROM ${name} WHERE partition = ? AND sort = ?`,
  }
}

/** Gives the statements of a table. Throws for a table that was not declared, which is a bug. */
export function createStatementsOf(keyspace: string, tables: readonly Table[]): (table: Table) => Statements {
  const known = new Map(tables.map((table) => [table.name, createStatements(keyspace, table)]))
  return (table) => {
    const statements = known.get(table.name)
    assert(statements !== undefined, `table ${table.name} was not declared when the store was opened`)
    return statements
  }
}

export const toCqlEnd = (expiresAtMs: number | undefined): bigint => {
  const endMs = Math.ceil(expiresAtMs ?? Infinity)
  return Number.isSafeInteger(endMs) ? BigInt(endMs) : NEVER
}

/** @returns `undefined` for a row without an end */
export function endOf(table: Table, raw: types.Row): number | undefined {
  if (table.kind === 'once' || raw.expires_at === NEVER) return undefined
  return Number(raw.expires_at)
}

/** @returns `undefined` for a row that has ended */
export function toRow(key: RowKey, raw: types.Row, nowMs: number): Row | undefined {
  const value = raw.value as Buffer
  if (key.table.kind === 'once') return { ...key, version: 0, value }
  if (isExpired(Number(raw.expires_at), nowMs)) return undefined
  return { ...key, version: Number(raw.version), value }
}
