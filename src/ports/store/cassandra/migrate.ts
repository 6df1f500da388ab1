/**
 * Makes or completes the keyspace: forwards only, and as often as one likes, also two at once. Schema
 * statements go through one node, which runs them one after the other, so that "if not exists" is decided
 * once; two nodes could each make a table of that name. A migration that broke off is finished by the next.
 */

import type { CassandraClient, CassandraOptions } from './client.ts'
import { connectCassandra } from './client.ts'
import { CASSANDRA_SETTINGS, configInvalid, unavailable } from './errors.ts'
import {
  assertDeployment,
  assertKeyspaceName,
  assertNotNewer,
  assertOurs,
  expectedTables,
  findMissing,
  type Keyspace,
  META,
  META_TABLE,
  readKeyspace,
  readMeta,
  SCHEMA_VERSION,
} from './schema.ts'
import { mapBounded } from './slots.ts'
import { WATERMARK_TABLE } from './watermark.ts'

export interface MigrationOptions extends CassandraOptions {
  /** Of a keyspace that is made now; one that is there keeps its own. */
  readonly replicationFactor: number
  /** Called before a keyspace becomes the deployment's that was nobody's; what it throws stops that. */
  readonly onClaim?: () => Promise<void>
}

/** The node takes one after the other; what runs at once is the waiting for all nodes to know of each. */
const AT_ONCE = 8

/** Of the tables that are not declared ones; those have a row by (partition, sort). */
const PRIMARY_KEYS: Readonly<Record<string, string>> = {
  [META_TABLE]: 'name',
  [WATERMARK_TABLE]: 'name, log_partition',
}

/** @returns the deployment that a keyspace belongs to; nothing where it is nobody's, or not there */
export async function keyspaceOwner(options: CassandraOptions): Promise<string | undefined> {
  assertKeyspaceName(options.keyspace)
  const client = await connectCassandra(options)
  try {
    const keyspace = await readKeyspace(client, options.keyspace)
    return keyspace?.has(META_TABLE) === true
      ? await readMeta(client, options.keyspace, META.deployment)
      : undefined
  } finally {
    await client.close()
  }
}

export async function migrateCassandra(options: MigrationOptions): Promise<void> {
  assertKeyspaceName(options.keyspace)
  const client = await connectCassandra(options)
  try {
    await migrate(client, options)
  } finally {
    await client.close()
  }
}

async function migrate(client: CassandraClient, options: MigrationOptions): Promise<void> {
  const { keyspace, deployment, tables, onNotice, onClaim } = options
  const expected = expectedTables(tables)
  const before = await readKeyspace(client, keyspace)
  if (before === undefined) await createKeyspace(client, options)
  else assertOurs(keyspace, before)
  const create = (name: string) => client.define(createTable(keyspace, name, expected.get(name) ?? {}))

  await create(META_TABLE)
  if ((await readMeta(client, keyspace, META.deployment)) === undefined) await onClaim?.()
  assertDeployment(keyspace, deployment, await putMeta(client, keyspace, META.deployment, deployment))
  // A newer schema is left as it is, whatever it lacks.
  assertNotNewer(keyspace, await readMeta(client, keyspace, META.version))
  const missing = findMissing(keyspace, await found(client, keyspace), expected)
  await mapBounded(missing, AT_ONCE, create)
  await raiseVersion(client, keyspace)
  if (missing.length > 0) onNotice(`keyspace ${keyspace}: ${missing.length} tables were made`)
}

async function found(client: CassandraClient, keyspace: string): Promise<Keyspace> {
  const tables = await readKeyspace(client, keyspace)
  if (tables === undefined) throw unavailable(`the keyspace ${keyspace} was dropped during its migration`)
  return tables
}

async function createKeyspace(client: CassandraClient, options: MigrationOptions): Promise<void> {
  const { keyspace, localDataCenter, replicationFactor } = options
  const { replication } = CASSANDRA_SETTINGS
  if (!(Number.isInteger(replicationFactor) && replicationFactor >= 1)) {
    throw configInvalid(`${replication} is ${replicationFactor}; it must be a whole number from 1`)
  }
  const nodes = client.nodeCount()
  if (replicationFactor > nodes) {
    // It would be accepted, and then every read and write refused.
    const message = `${replication} is ${replicationFactor}, but the data centre ${localDataCenter} has ${nodes} (nodes); add some or lower it`
    throw configInvalid(message)
  }
  const dataCenter = localDataCenter.replaceAll("'", "''")
  await client.define(
    `CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH replication = {'class': 'NetworkTopologyStrategy', '${dataCenter}': ${replicationFactor}}`,
  )
}

function createTable(keyspace: string, name: string, columns: Readonly<Record<string, string>>): string {
  const list = Object.entries(columns).map(([column, type]) => `${column} ${type}`)
  const key = PRIMARY_KEYS[name] ?? 'partition, sort'
  return `CREATE TABLE IF NOT EXISTS ${keyspace}.${name} (${list.join(', ')}, PRIMARY KEY (${key}))`
}

/** @returns what stands: the first to put it wins */
async function putMeta(client: CassandraClient, keyspace: string, name: string, value: string) {
  const query = `INSERT INTO ${keyspace}.${META_TABLE} (name, value) VALUES (?, ?) IF NOT EXISTS`
  await client.transact({ query, params: [name, value] })
  return readMeta(client, keyspace, name)
}

/** Up to ours, from whatever was below: another migration may do so at the same time. */
async function raiseVersion(client: CassandraClient, keyspace: string): Promise<void> {
  const stored = await putMeta(client, keyspace, META.version, String(SCHEMA_VERSION))
  if (assertNotNewer(keyspace, stored) === SCHEMA_VERSION) return
  const query = `UPDATE ${keyspace}.${META_TABLE} SET value = ? WHERE name = ? IF value = ?`
  await client.transact({ query, params: [String(SCHEMA_VERSION), META.version, stored] })
  assertNotNewer(keyspace, await readMeta(client, keyspace, META.version))
}
