/** Migrations of the Cassandra store, and the keyspaces and settings that it refuses. */

import type { Client } from 'cassandra-driver'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { isRivuletError } from '../../../../src/core/errors.ts'
import {
  type CassandraOptions,
  migrateCassandra,
  openCassandraStore,
} from '../../../../src/ports/store/cassandra/cassandra.ts'
import { OTHER, VERSIONED } from '../../../../src/ports/store/conformance/model.ts'
import { expectCode } from '../../../../src/ports/store/conformance.ts'
import { startCassandraLogin } from './login.ts'
import { bytes, connectAdmin, contactPoints, DATA_CENTER, optionsOf } from './place.ts'

const KEYSPACE = 'suite_schema'
const options = optionsOf(KEYSPACE)
let admin: Client

beforeAll(async () => {
  admin = await connectAdmin()
})
beforeEach(async () => {
  await admin.execute(`DROP KEYSPACE IF EXISTS ${KEYSPACE}`)
})
afterAll(async () => {
  await admin.execute(`DROP KEYSPACE IF EXISTS ${KEYSPACE}`)
  await admin.shutdown()
})

const migrate = (more: Partial<CassandraOptions> & { replicationFactor?: number } = {}) =>
  migrateCassandra({ ...options, replicationFactor: 1, ...more })
const open = (more: Partial<CassandraOptions> = {}) => openCassandraStore({ ...options, ...more })
const createKeyspace = () =>
  admin.execute(
    `CREATE KEYSPACE ${KEYSPACE} WITH replication = {'class': 'NetworkTopologyStrategy', '${DATA_CENTER}': 1}`,
  )
/** Only by transactions, as the store does. */
const setVersion = (version: string) =>
  admin.execute(
    `UPDATE ${KEYSPACE}.rivulet_meta SET value = ? WHERE name = 'schema_version' IF EXISTS`,
    [version],
    { prepare: true },
  )

async function messageOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(isRivuletError(error, 'config_invalid'), String(error)).toBe(true)
  return (error as Error).message
}

test('a store opens after a migration, not before, and a second migration changes nothing', async () => {
  expect(await messageOf(open())).toContain('rivulet migrate')
  await createKeyspace()
  expect(await messageOf(open())).toContain('rivulet migrate')
  const notices: string[] = []
  const onNotice = (text: string) => void notices.push(text)
  await migrate({ onNotice })
  const store = await open()
  const row = { table: VERSIONED, partition: 'p', sort: '', version: 1, value: bytes('kept') }
  await store.write([row])
  await migrate({ onNotice })
  expect(notices).toHaveLength(1)
  expect((await store.get([row]))[0]?.version).toBe(1)
  await store.close()
})

test('four migrations at once make one schema', async () => {
  await Promise.all(Array.from({ length: 4 }, () => migrate()))
  await (await open()).close()
})

test('a table that a newer Rivulet has is asked for, and made', async () => {
  await migrate({ tables: [VERSIONED] })
  expect(await messageOf(open())).toContain('rivulet migrate')
  await migrate()
  await (await open()).close()
  // Columns that an older version does not know do not harm it.
  await (await open({ tables: [OTHER] })).close()
})

test('an older schema is raised by a migration, a newer one left alone', async () => {
  await migrate()
  await setVersion('0')
  expect(await messageOf(open())).toContain('rivulet migrate')
  await migrate()
  await (await open()).close()
  await setVersion('2')
  await expectCode(open(), 'data_newer_format')
  await expectCode(migrate(), 'data_newer_format')
})

test('a keyspace belongs to the deployment that migrated it first', async () => {
  await migrate()
  for (const attempt of [open, migrate]) {
    const message = await messageOf(attempt({ deployment: 'there' }))
    for (const name of [KEYSPACE, 'here', 'there']) expect(message).toContain(name)
  }
})

test('a keyspace with tables of something else is refused and left as it is', async () => {
  await createKeyspace()
  await admin.execute(`CREATE TABLE ${KEYSPACE}.invoices (id int PRIMARY KEY)`)
  expect(await messageOf(open())).toContain('invoices')
  expect(await messageOf(migrate())).toContain('invoices')
  const { rows } = await admin.execute(
    `SELECT table_name FROM system_schema.tables WHERE keyspace_name = '${KEYSPACE}'`,
  )
  expect(rows.map((each) => each.table_name)).toEqual(['invoices'])
})

test('a table that changed its kind is refused', async () => {
  await migrate()
  const tables = [{ name: VERSIONED.name, kind: 'once' as const }]
  await messageOf(open({ tables }))
  await messageOf(migrate({ tables }))
})

test('names and numbers that cannot be are refused with the setting they are in', async () => {
  expect(await messageOf(migrate({ keyspace: 'Bad-Name; DROP' }))).toContain('RIVULET_CASSANDRA')
  expect(await messageOf(migrate({ replicationFactor: 3 }))).toContain('RIVULET_CASSANDRA_REPLICATION')
  expect(await messageOf(migrate({ replicationFactor: 0 }))).toContain('RIVULET_CASSANDRA_REPLICATION')
  const message = await messageOf(open({ localDataCenter: 'elsewhere' }))
  for (const name of ['RIVULET_CASSANDRA_DATACENTER', DATA_CENTER]) expect(message).toContain(name)
  expect(await messageOf(open({ contactPoints: [] }))).toContain('RIVULET_CASSANDRA')
})

test('a wrong password is the operator’s to mend, a missing server may come back', async () => {
  const login = await startCassandraLogin()
  const refused = open({ contactPoints: [login.address], username: 'rivulet', password: 'wrong' })
  expect(await messageOf(refused)).toContain('RIVULET_CASSANDRA_PASSWORD')
  await login.close()
  await expectCode(open({ contactPoints: [login.address] }), 'unavailable')
  await migrate()
  await (await open({ contactPoints: [login.address, ...contactPoints] })).close()
})
