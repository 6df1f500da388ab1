/**
 * The store on Cassandra (or another database with its protocol), shared by all processes of a deployment. It runs on any
 * number of nodes, and with three replicas goes on when one of them fails. It costs a network round trip for each read
 * and write, about a millisecond of the servers' processor time for each write, and a schema that has to be migrated.
 *
 * Durable means here: acknowledged by a majority of the replicas in the local data centre. Cassandra's setting
 * `commitlog_sync` decides whether they have synced their disks by then. With its default, `periodic`, a power loss of
 * all replicas at once can lose the last ten seconds, rows of `insertIfAbsent` included.
 *
 * A reader may see a write before it is acknowledged, and a write in one of its tables before it is visible in another.
 */

import { assert, RivuletError } from '../../../core/errors.ts'
import { checked } from '../checks.ts'
import { type CassandraOptions, connectCassandra } from './client.ts'
import { createCassandraInserter } from './inserter.ts'
import { createCassandraReader } from './reader.ts'
import { scanCassandra } from './scan.ts'
import { assertKeyspaceName, assertMigrated } from './schema.ts'
import { createStatementsOf } from './tables.ts'
import { createCassandraWatermark } from './watermark.ts'
import { createCassandraWriter } from './writer.ts'
import type { Store } from '../store.ts'

export type { CassandraOptions } from './client.ts'
export { keyspaceOwner, migrateCassandra, type MigrationOptions } from './migrate.ts'

export async function openCassandraStore(options: CassandraOptions): Promise<Store> {
  const { env, keyspace, tables } = options
  assertKeyspaceName(keyspace)
  const statementsOf = createStatementsOf(keyspace, tables)
  const client = await connectCassandra(options)
  try {
    await assertMigrated(client, options)
  } catch (error) {
    await client.close()
    throw error
  }
  const reader = createCassandraReader(client, statementsOf)
  const writer = createCassandraWriter(env, client, statementsOf)
  const inserter = createCassandraInserter(env, client, statementsOf)
  const watermark = createCassandraWatermark(client, keyspace)
  const gate = createGate()
  return checked({
    get: (keys) => gate.run(() => reader.get(keys, env.wallMs())),
    range: (ranges) => gate.run(() => reader.range(ranges, env.wallMs())),
    write: (rows) => gate.run(() => writer.write(rows)),
    insertIfAbsent: (rows) => gate.run(() => inserter.insert(rows)),
    scan: (table, after, limit) =>
      gate.run(() =>
        scanCassandra(client, statementsOf(table), { table, after, limit, nowMs: env.wallMs() }),
      ),
    checkpoint: (positions) => gate.run(() => watermark.raise(positions)),
    watermark: () => gate.run(() => watermark.read()),
    close: () => gate.close(() => client.close()),
  })
}

/** Refuses calls after a close, and makes the close wait for calls under way. */
function createGate() {
  let closed: Promise<void> | undefined
  let running = 0
  let wake: () => void = () => undefined
  return {
    async run<T>(task: () => Promise<T>): Promise<T> {
      if (closed !== undefined) throw new RivuletError('shutting_down', 'the store is closed')
      running++
      try {
        return await task()
      } finally {
        if (--running === 0) wake()
      }
    },
    close(end: () => Promise<void>): Promise<void> {
      closed ??= new Promise<void>((resolve) => {
        wake = resolve
        if (running === 0) resolve()
      }).then(() => {
        assert(running === 0, 'a closing store has calls under way')
        return end()
      })
      return closed
    },
  }
}
