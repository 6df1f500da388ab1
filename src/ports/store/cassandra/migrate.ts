/**
 * Creates or completes the keyspace. Migrations only go forwards; they can be repeated, and two can run at once. All
 * schema statements go to one node, which runs them one after the other, so that "if not exists" is decided in one place;
 * two nodes could each create a table of the same name. A migration that was interrupted is finished by the next one.
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
  /** For a keyspace that is created now; an existing one keeps its own. */
  readonly replicationFactor: number
  /** Called before the deployment claims a keyspace without an owner; an error that it throws prevents the claim. */
  readonly onClaim?: () => Promise<void>
}

/** The node runs statements one after the other; waiting until all nodes know of each is done for several at once. */
const AT_ONCE = 8

/** Of our own tables. Declared tables have the primary key (partition, sort). */
const PRIMARY_KEYS: Readonly<Record<string, string>> = {
  [META_TABLE]: 'name',
  [WATERMARK_TABLE]: 'name, log_partition',
}

/** @returns the deployment that the keyspace belongs to; `undefined` when it has no owner or does not exist */
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
  // Throws before a newer schema is changed.
  assertNotNewer(keyspace, await readMeta(client, keyspace, META.version))
  const missing = findMissing(keyspace, await found(client, keyspace), expected)
  await mapBounded(missing, AT_ONCE, create)
  await raiseVersion(client, keyspace)
  if (missing.length > 0) onNotice(`keyspace ${keyspace}: created ${missing.length} tables`)
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
    // Cassandra would accept it, and then refuse every read and write.
    const message = `${replication} is ${replicationFactor}, but the data centre ${localDataCenter} has ${nodes} node(s); add nodes or lower the setting`
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

/** @returns the value that is stored: the first one that was put */
async function putMeta(client: CassandraClient, keyspace: string, name: string, value: string) {
  const query = `INSERT INTO ${keyspace}.${META_TABLE} (name, value) VALUES (?, ?) IF NOT EXISTS`
  await client.transact({ query, params: [name, value] })
  return readMeta(client, keyspace, name)
}

/** Raises the stored version to ours. Another migration may do the same at the same time. */
async function raiseVersion(client: CassandraClient, keyspace: string): Promise<void> {
  const stored = await putMeta(client, keyspace, META.version, String(SCHEMA_VERSION))
  if (assertNotNewer(keyspace, stored) === SCHEMA_VERSION) return
  const query = `UPDATE ${keyspace}.${META_TABLE} SET value = ? WHERE name = ? IF value = ?`
  await client.transact({ query, params: [String(SCHEMA_VERSION), META.version, stored] })
  assertNotNewer(keyspace, await readMeta(client, keyspace, META.version))
}
