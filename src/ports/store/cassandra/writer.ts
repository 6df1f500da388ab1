/**
 * Writes, as one mutation for each partition string.
 *
 * Why a mutation is atomic over tables: Cassandra merges rows of one keyspace with the same partition key into one
 * mutation (its BatchUpdatesCollector keeps one builder per keyspace and key). A mutation is one record of the commit
 * log on each replica, and one hint; a trace shows "Appending to commitlog" once for a batch over three tables. This
 * holds only while the partition key is the partition string alone.
 */

import type { Env } from '../../env/env.ts'
import type { CassandraClient, Statement } from './client.ts'
import { RivuletError } from '../../../core/errors.ts'
import { mapBounded } from './slots.ts'
import { type Statements, toCqlEnd, toCqlPartition } from './tables.ts'
import type { RowWrite, Table } from '../store.ts'

export interface CassandraWriter {
  write(rows: readonly RowWrite[]): Promise<void>
}

/** Mutations of one call at a time. */
const WIDTH = 32
const MIB = 2 ** 20
/** Cassandra takes mutations of up to half a commit log segment, whose size is 32 MiB by default and 8 MiB in tests. */
const MUTATION_BYTES_MAX = 3 * MIB
/** Estimate, on the safe side, for the names, lengths, times and marks of a row. */
const ROW_OVERHEAD_BYTES = 64

const DAY_MS = 24 * 3_600_000
const SECOND_MS = 1_000
/** Ended rows stay stored so long, to refuse older writes, and so that a clock which is ahead destroys nothing. */
const RECLAIM_AFTER_MS = DAY_MS
/** Cassandra before 5 cannot store a TTL that ends after January 2038: rows with a later end get none. */
const RECLAIM_MS_MAX = Date.UTC(2037, 0)
const NO_TTL = 0

interface Group {
  readonly partition: string
  /** By table and sort key. */
  readonly rows: Map<string, RowWrite>
}

export function createCassandraWriter(
  env: Env,
  client: CassandraClient,
  statementsOf: (table: Table) => Statements,
): CassandraWriter {
  const toStatement = (row: RowWrite, partition: string, nowMs: number): Statement => ({
    query: statementsOf(row.table).write,
    params: [
      partition,
      row.sort,
      Buffer.from(row.value.buffer, row.value.byteOffset, row.value.byteLength),
      toCqlEnd(row.expiresAtMs),
      BigInt(row.version),
      timeToLive(row.expiresAtMs, nowMs),
    ],
  })
  return {
    async write(rows) {
      const groups = byPartition(rows)
      for (const group of groups) assertFits(group)
      const nowMs = env.wallMs()
      await mapBounded(groups, WIDTH, (group) => {
        const partition = toCqlPartition(group.partition)
        return client.write([...group.rows.values()].map((row) => toStatement(row, partition, nowMs)))
      })
    },
  }
}

/** Groups rows by partition. Of a row that occurs twice, only the newest version is sent. */
function byPartition(rows: readonly RowWrite[]): Group[] {
  const groups = new Map<string, Group>()
  for (const row of rows) {
    const group = groups.get(row.partition) ?? { partition: row.partition, rows: new Map() }
    groups.set(row.partition, group)
    const id = `${row.table.name}\0${row.sort}`
    const before = group.rows.get(id)
    if (before === undefined || row.version > before.version) group.rows.set(id, row)
  }
  return [...groups.values()]
}

function assertFits({ partition, rows }: Group): void {
  const rowBytes = ROW_OVERHEAD_BYTES + Buffer.byteLength(partition)
  let bytes = 0
  for (const { sort, value } of rows.values()) bytes += rowBytes + sort.length + value.length
  if (bytes <= MUTATION_BYTES_MAX) return
  const message = `store misused: ${rows.size} rows of partition ${JSON.stringify(partition)} are ${bytes} bytes in one write; the most is ${MUTATION_BYTES_MAX}`
  throw new RivuletError('internal', message)
}

/** The TTL in seconds. It only lets Cassandra reclaim the row: reads go by `expires_at` alone. */
function timeToLive(expiresAtMs: number | undefined, nowMs: number): number {
  if (expiresAtMs === undefined) return NO_TTL
  const reclaimAtMs = Math.max(expiresAtMs, nowMs) + RECLAIM_AFTER_MS
  if (!(reclaimAtMs < RECLAIM_MS_MAX)) return NO_TTL
  return Math.ceil((reclaimAtMs - nowMs) / SECOND_MS)
}
