/**
 * Checks that a keyspace is ours, complete, and of this schema version. The table `rivulet_meta` holds the schema version
 * and the deployment that the keyspace belongs to; only transactions write it.
 */

import { RivuletError } from '../../../core/errors.ts'
import type { CassandraClient, CassandraOptions } from './client.ts'
import { CASSANDRA_SETTINGS, configInvalid } from './errors.ts'
import { COLUMNS, cqlName, isOurTable } from './tables.ts'
import { WATERMARK_COLUMNS, WATERMARK_TABLE } from './watermark.ts'
import type { Table } from '../store.ts'

export const SCHEMA_VERSION = 1
export const META_TABLE = 'rivulet_meta'
export const META = { version: 'schema_version', deployment: 'deployment' } as const
const META_COLUMNS = { name: 'text', value: 'text' } as const

/** By table: the types of its columns. */
export type Keyspace = ReadonlyMap<string, ReadonlyMap<string, string>>
export type Columns = Readonly<Record<string, string>>

const KEYSPACE_NAME = /^[a-z][a-z0-9_]{0,47}$/

/** Statements contain the name as it is, so it must be harmless. */
export function assertKeyspaceName(keyspace: string): void {
  if (KEYSPACE_NAME.test(keyspace)) return
  const message = `'${keyspace}' cannot be the name of a keyspace: it needs a lower-case letter, then lower-case letters, digits and _, 48 characters at most; change ${CASSANDRA_SETTINGS.keyspace}`
  throw configInvalid(message)
}

/** The columns of all our tables, by the tables' names in Cassandra. */
export function expectedTables(tables: readonly Table[]): ReadonlyMap<string, Columns> {
  return new Map<string, Columns>([
    [META_TABLE, META_COLUMNS],
    [WATERMARK_TABLE, WATERMARK_COLUMNS],
    ...tables.map((table): [string, Columns] => [cqlName(table), COLUMNS[table.kind]]),
  ])
}

/** @returns `undefined` when there is no such keyspace */
export async function readKeyspace(client: CassandraClient, keyspace: string): Promise<Keyspace | undefined> {
  const found = await client.readSchema({
    query: 'SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?',
    params: [keyspace],
  })
  if (found.length === 0) return undefined
  const columns = await client.readSchema({
    query: 'SELECT table_name, column_name, type FROM system_schema.columns WHERE keyspace_name = ?',
    params: [keyspace],
  })
  const tables = new Map<string, Map<string, string>>()
  for (const { table_name, column_name, type } of columns as unknown as readonly ColumnRow[]) {
    const table = tables.get(table_name) ?? new Map<string, string>()
    tables.set(table_name, table.set(column_name, type))
  }
  return tables
}

interface ColumnRow {
  readonly table_name: string
  readonly column_name: string
  readonly type: string
}

/** Refuses a keyspace with tables of others in it. An empty one may become ours. */
export function assertOurs(keyspace: string, found: Keyspace): void {
  const names = [...found.keys()]
  const isOurs = (name: string) => name === META_TABLE || name === WATERMARK_TABLE || isOurTable(name)
  const foreign = found.has(META_TABLE) ? names.filter((name) => !isOurs(name)) : names
  if (foreign.length === 0) return
  const message = `the keyspace ${keyspace} holds tables that are not Rivulet's (${foreign.slice(0, 5).join(', ')}); name an empty or a new keyspace in ${CASSANDRA_SETTINGS.keyspace}`
  throw configInvalid(message)
}

/** @returns the names of the tables that are missing */
export function findMissing(
  keyspace: string,
  found: Keyspace,
  expected: ReadonlyMap<string, Columns>,
): string[] {
  return [...expected].flatMap(([name, columns]) => {
    const table = found.get(name)
    if (table === undefined) return [name]
    const wrong = Object.entries(columns).find(([column, type]) => table.get(column) !== type)
    if (wrong === undefined) return []
    const message = `table ${keyspace}.${name} is not one that Rivulet made: its column ${wrong[0]} is ${table.get(wrong[0]) ?? 'missing'}, not ${wrong[1]}; name another keyspace in ${CASSANDRA_SETTINGS.keyspace}`
    throw configInvalid(message)
  })
}

export async function readMeta(client: CassandraClient, keyspace: string, name: string) {
  const query = `SELECT value FROM ${keyspace}.${META_TABLE} WHERE name = ?`
  return (await client.readSerial({ query, params: [name] }))?.value as string | undefined
}

export function assertDeployment(keyspace: string, ours: string, theirs: string | undefined): void {
  if (ours === theirs) return
  const message = `the keyspace ${keyspace} belongs to deployment ${theirs}, but this is deployment ${ours}, and two would overwrite each other's rows; name another keyspace in ${CASSANDRA_SETTINGS.keyspace}`
  throw configInvalid(message)
}

/** @returns 0 when no version is stored */
export function assertNotNewer(keyspace: string, stored: string | undefined): number {
  const version = stored === undefined ? 0 : Number(stored)
  if (version <= SCHEMA_VERSION) return version
  const message = `the keyspace ${keyspace} has schema version ${stored}, but this Rivulet knows versions up to ${SCHEMA_VERSION} only; run the newer Rivulet that migrated it`
  throw new RivuletError('data_newer_format', message)
}

/** Called when a store opens: throws unless the migration is complete. */
export async function assertMigrated(client: CassandraClient, options: CassandraOptions): Promise<void> {
  const { keyspace, deployment, tables } = options
  const found = await readKeyspace(client, keyspace)
  if (found === undefined || found.size === 0) {
    throw notMigrated(`there is no keyspace ${keyspace} with Rivulet's tables in this Cassandra cluster`)
  }
  assertOurs(keyspace, found)
  const claimed = await readMeta(client, keyspace, META.deployment)
  if (claimed === undefined) throw notMigrated(`the migration of keyspace ${keyspace} is not finished`)
  assertDeployment(keyspace, deployment, claimed)
  const version = assertNotNewer(keyspace, await readMeta(client, keyspace, META.version))
  const missing = findMissing(keyspace, found, expectedTables(tables))
  if (version === SCHEMA_VERSION && missing.length === 0) return
  const state = missing.length > 0 ? `lacks ${missing.join(', ')}` : `has schema version ${version}`
  throw notMigrated(`the keyspace ${keyspace} ${state}`)
}

const notMigrated = (what: string) =>
  configInvalid(
    `${what}; run \`rivulet migrate\`, or name another keyspace in ${CASSANDRA_SETTINGS.keyspace}`,
  )
