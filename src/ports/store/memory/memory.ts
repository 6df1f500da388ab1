/**
 * A store in memory, for tests, simulation and trials. Best for speed, and for crashes on demand. It holds everything
 * in memory, and keeps data over a reopening only on a `disk` in the same process.
 */

import { RivuletError } from '../../../core/errors.ts'
import type { Env } from '../../env/env.ts'
import { checked } from '../checks.ts'
import { isExpired } from '../expiry.ts'
import {
  checkpointDisk,
  createMemoryDisk,
  findRow,
  insertRow,
  lowerBound,
  type MemoryDisk,
  partitionOf,
  partitionsFrom,
  type StoredRow,
  writeGroup,
} from './disk.ts'
import type { Row, RowKey, RowRange, RowWrite, ScannedRow, Store, Table } from '../store.ts'

export { crash, createMemoryDisk, type MemoryDisk } from './disk.ts'

export interface MemoryStoreOptions {
  readonly env: Env
  /** Holds the data: opening a store on the disk of an earlier one gives that one's data. Default: an empty disk. */
  readonly disk?: MemoryDisk
}

export function createMemoryStore({ env, disk = createMemoryDisk() }: MemoryStoreOptions): Store {
  const bornIn = disk.incarnation
  let isClosed = false
  const assertAlive = () => {
    if (disk.incarnation !== bornIn) throw new RivuletError('unavailable', 'the store crashed')
    if (isClosed) throw new RivuletError('shutting_down', 'the store is closed')
  }
  return checked({
    async get(keys) {
      assertAlive()
      const nowMs = env.wallMs()
      return keys.map((key) => toRow(key.table, key.partition, findRow(disk, key), nowMs))
    },
    async range(ranges) {
      assertAlive()
      const nowMs = env.wallMs()
      return ranges.map((range) => readRange(disk, range, nowMs))
    },
    async write(rows) {
      assertAlive()
      for (const group of byPartition(rows)) writeGroup(disk, group)
    },
    async insertIfAbsent(rows) {
      assertAlive()
      return rows.map((row) => {
        const inserted = insertRow(disk, row, row.value.slice())
        return { inserted, value: findRow(disk, row)?.value ?? row.value }
      })
    },
    async scan(table, after, limit) {
      assertAlive()
      return scanTable(disk, table, after, limit, env.wallMs())
    },
    async checkpoint(positions) {
      assertAlive()
      checkpointDisk(disk, positions, env.wallMs())
    },
    async watermark() {
      assertAlive()
      return disk.watermark
    },
    async close() {
      isClosed = true
    },
  })
}

/** Copies the values, since callers may reuse their buffers. */
function byPartition(rows: readonly RowWrite[]): Iterable<RowWrite[]> {
  const groups = new Map<string, RowWrite[]>()
  for (const row of rows) {
    const copy = { ...row, value: row.value.slice() }
    const group = groups.get(row.partition)
    if (group === undefined) groups.set(row.partition, [copy])
    else group.push(copy)
  }
  return groups.values()
}

function toRow(table: Table, partition: string, stored: StoredRow | undefined, nowMs: number) {
  if (stored === undefined || isExpired(stored.expiresAtMs, nowMs)) return undefined
  return { table, partition, sort: stored.sort, version: stored.version, value: stored.value }
}

function readRange(disk: MemoryDisk, range: RowRange, nowMs: number): Row[] {
  const stored = partitionOf(disk, range.table.name, range.partition)
  const rows: Row[] = []
  for (let index = lowerBound(stored, range.from); index < stored.length; index++) {
    if (rows.length === range.limit) break
    if (range.to !== undefined && stored[index].sort >= range.to) break
    const row = toRow(range.table, range.partition, stored[index], nowMs)
    if (row !== undefined) rows.push(row)
  }
  return rows
}

/** Goes by the names of partitions, so that a page can begin after any row, even one that has been removed. */
function scanTable(
  disk: MemoryDisk,
  table: Table,
  after: RowKey | undefined,
  limit: number,
  nowMs: number,
): ScannedRow[] {
  const rows: ScannedRow[] = []
  for (const partition of partitionsFrom(disk, table.name, after?.partition ?? '')) {
    const from = partition === after?.partition ? after.sort : undefined
    for (const each of partitionOf(disk, table.name, partition)) {
      if (from !== undefined && each.sort <= from) continue
      const row = toRow(table, partition, each, nowMs)
      const { expiresAtMs } = each
      if (row !== undefined) rows.push(expiresAtMs === undefined ? row : { ...row, expiresAtMs })
      if (rows.length === limit) return rows
    }
  }
  return rows
}
