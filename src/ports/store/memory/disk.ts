/**
 * The "disk" of a memory store: its data, which outlive the store. Another store can be opened on it, and it can crash
 * as an embedded store may.
 */

import { areRemainsDue, expiryHour, firstHourNotDue } from '../expiry.ts'
import type { RowKey, RowWrite } from '../store.ts'

export interface StoredRow {
  readonly sort: string
  readonly version: number
  readonly value: Uint8Array
  readonly expiresAtMs: number | undefined
}

/** Rows in the order of their sort keys. */
type Partition = StoredRow[]

interface MemoryTable {
  readonly partitions: Map<string, Partition>
  /** The names of the partitions in order: made when a scan needs it, dropped when a partition comes or goes. */
  order: readonly string[] | undefined
}

export interface MemoryDisk {
  readonly tables: Map<string, MemoryTable>
  /** Of each row that was written since the last checkpoint, its state at that checkpoint. */
  readonly atCheckpoint: Map<string, Place & { readonly row: StoredRow | undefined }>
  /** The writes since the last checkpoint, in groups that are atomic: the rows of one call and one partition. */
  unsynced: (readonly RowWrite[])[]
  /** Rows with an end, by the hour of it. */
  readonly ending: Map<number, Map<string, Place>>
  watermark: readonly number[]
  /** Raised by a crash: stores that were opened before it refuse all calls. */
  incarnation: number
}

interface Place {
  readonly table: string
  readonly partition: string
  readonly sort: string
}

export const createMemoryDisk = (): MemoryDisk => ({
  tables: new Map(),
  atCheckpoint: new Map(),
  unsynced: [],
  ending: new Map(),
  watermark: [],
  incarnation: 0,
})

export function writeGroup(disk: MemoryDisk, group: readonly RowWrite[]): void {
  for (const row of group) rememberCheckpoint(disk, row)
  disk.unsynced.push(group)
  mergeGroup(disk, group)
}

/** @returns whether there was no such row; the new one survives a crash, even before a checkpoint */
export function insertRow(disk: MemoryDisk, key: RowKey, value: Uint8Array): boolean {
  if (findRow(disk, key) !== undefined) return false
  putRow(disk, placeOf(key), { sort: key.sort, version: 0, value, expiresAtMs: undefined })
  return true
}

export function findRow(disk: MemoryDisk, key: RowKey): StoredRow | undefined {
  const partition = partitionOf(disk, key.table.name, key.partition)
  const index = lowerBound(partition, key.sort)
  return partition[index]?.sort === key.sort ? partition[index] : undefined
}

export const partitionOf = (disk: MemoryDisk, table: string, partition: string): readonly StoredRow[] =>
  disk.tables.get(table)?.partitions.get(partition) ?? []

/** The partitions of a table whose names are not below `from`, in the order of their names. */
export function* partitionsFrom(disk: MemoryDisk, tableName: string, from: string): Iterable<string> {
  const table = disk.tables.get(tableName)
  if (table === undefined) return
  const order = (table.order ??= [...table.partitions.keys()].sort())
  for (let index = lowerIndex(order.length, (i) => order[i] < from); index < order.length; index++) {
    yield order[index]
  }
}

/** The index of the first row whose sort key is not below `sort`. */
export function lowerBound(rows: readonly StoredRow[], sort: string): number {
  // Most writes land at the end.
  if (rows.length > 0 && rows[rows.length - 1].sort < sort) return rows.length
  return lowerIndex(rows.length, (index) => rows[index].sort < sort)
}

function lowerIndex(length: number, isBelow: (index: number) => boolean): number {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBelow(middle)) low = middle + 1
    else high = middle
  }
  return low
}

export function checkpointDisk(disk: MemoryDisk, positions: readonly number[], nowMs: number): void {
  disk.atCheckpoint.clear()
  disk.unsynced = []
  const before = disk.watermark
  disk.watermark = positions.map((position, partition) => Math.max(position, before[partition] ?? 0))
  removeRemains(disk, nowMs)
}

/**
 * Acts as if the power had failed. Everything up to the last checkpoint and every `insertIfAbsent` stays. Of the groups
 * written since, a random number of the oldest survive, each as a whole. Stores opened before refuse all calls.
 */
export function crash(disk: MemoryDisk, random: () => number): void {
  const written = disk.unsynced
  for (const { row, ...place } of disk.atCheckpoint.values()) {
    if (row === undefined) removeRow(disk, place)
    else putRow(disk, place, row)
  }
  const survivors = Math.floor(random() * (written.length + 1))
  for (const group of written.slice(0, survivors)) mergeGroup(disk, group)
  // An embedded store makes durable what it finds when it opens after a crash.
  disk.atCheckpoint.clear()
  disk.unsynced = []
  disk.incarnation++
}

function rememberCheckpoint(disk: MemoryDisk, key: RowKey): void {
  const place = placeOf(key)
  const id = idOf(place)
  if (!disk.atCheckpoint.has(id)) disk.atCheckpoint.set(id, { ...place, row: findRow(disk, key) })
}

function mergeGroup(disk: MemoryDisk, group: readonly RowWrite[]): void {
  for (const row of group) {
    const before = findRow(disk, row)
    if (before !== undefined && before.version > row.version) continue
    const { sort, version, value, expiresAtMs } = row
    putRow(disk, placeOf(row), { sort, version, value, expiresAtMs })
  }
}

function putRow(disk: MemoryDisk, place: Place, row: StoredRow): void {
  const partition = ensurePartition(disk, place)
  const index = lowerBound(partition, row.sort)
  if (partition[index]?.sort === row.sort) partition[index] = row
  else partition.splice(index, 0, row)
  if (row.expiresAtMs !== undefined) {
    ensure(disk.ending, expiryHour(row.expiresAtMs), () => new Map<string, Place>()).set(idOf(place), place)
  }
}

function removeRow(disk: MemoryDisk, place: Place): void {
  const table = disk.tables.get(place.table)
  const partition = table?.partitions.get(place.partition)
  if (table === undefined || partition === undefined) return
  const index = lowerBound(partition, place.sort)
  if (partition[index]?.sort === place.sort) partition.splice(index, 1)
  if (partition.length > 0) return
  table.partitions.delete(place.partition)
  table.order = undefined
}

function removeRemains(disk: MemoryDisk, nowMs: number): void {
  for (const [hour, places] of disk.ending) {
    if (hour >= firstHourNotDue(nowMs)) continue
    disk.ending.delete(hour)
    for (const place of places.values()) {
      const rows = partitionOf(disk, place.table, place.partition)
      const row = rows[lowerBound(rows, place.sort)]
      // A later write may have given the row another end, or taken it away.
      if (row?.sort === place.sort && areRemainsDue(row.expiresAtMs, nowMs)) removeRow(disk, place)
    }
  }
}

function ensurePartition(disk: MemoryDisk, place: Place): Partition {
  const table = ensure(disk.tables, place.table, () => ({ partitions: new Map(), order: undefined }))
  return ensure(table.partitions, place.partition, () => {
    table.order = undefined
    return []
  })
}

function ensure<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  let value = map.get(key)
  if (value === undefined) map.set(key, (value = create()))
  return value
}

const placeOf = (key: RowKey): Place => ({
  table: key.table.name,
  partition: key.partition,
  sort: key.sort,
})
const idOf = (place: Place): string => `${place.table}\0${place.partition}\0${place.sort}`
