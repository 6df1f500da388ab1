/** Reads of a LevelDB store. Each get, range or page sees the database as it was at one moment. */

import {
  endOfPartition,
  endOfTable,
  expiryOf,
  parseRowKey,
  partitionPrefix,
  rowKey,
  startOfTable,
  valueOf,
  versionOf,
} from './codec.ts'
import type { LevelDb } from './open.ts'
import { isExpired } from '../expiry.ts'
import type { Row, RowKey, RowRange, ScannedRow, Table } from '../store.ts'

/** Node.js has four threads for all files and databases: more ranges at a time would only wait for each other. */
const RANGES_AT_A_TIME = 4
const ENTRIES_PER_CALL_MAX = 1_000
const BYTES_PER_CALL = 4 * 2 ** 20

export async function readKeys(
  db: LevelDb,
  keys: readonly RowKey[],
  nowMs: number,
): Promise<(Row | undefined)[]> {
  const stored = await db.getMany(keys.map(rowKey))
  return stored.map((value, index) => {
    const { table, partition, sort } = keys[index]
    return value === undefined ? undefined : toRow(table, partition, sort, value, nowMs)
  })
}

export async function readRanges(db: LevelDb, ranges: readonly RowRange[], nowMs: number): Promise<Row[][]> {
  const answers = new Array<Row[]>(ranges.length)
  let next = 0
  const takeTurns = async () => {
    while (next < ranges.length) {
      const index = next++
      answers[index] = await readRange(db, ranges[index], nowMs)
    }
  }
  await Promise.all(Array.from({ length: Math.min(RANGES_AT_A_TIME, ranges.length) }, takeTurns))
  return answers
}

function readRange(db: LevelDb, range: RowRange, nowMs: number): Promise<Row[]> {
  const { table, partition, from, to, limit } = range
  const prefix = partitionPrefix(table.name, partition)
  const bounds = {
    gte: prefix + from,
    lt: to === undefined ? endOfPartition(table.name, partition) : prefix + to,
    fillCache: true,
  }
  return readEntries(db, bounds, limit, (key, value) =>
    toRow(table, partition, key.slice(prefix.length), value, nowMs),
  )
}

export function readPage(
  db: LevelDb,
  table: Table,
  after: RowKey | undefined,
  limit: number,
  nowMs: number,
): Promise<ScannedRow[]> {
  const start = after === undefined ? { gte: startOfTable(table.name) } : { gt: rowKey(after) }
  // A scan of a whole table must not evict blocks that readers use.
  const bounds = { ...start, lt: endOfTable(table.name), fillCache: false }
  return readEntries(db, bounds, limit, (key, value) => {
    const { partition, sort } = parseRowKey(key)
    const row = toRow(table, partition, sort, value, nowMs)
    const expiresAtMs = expiryOf(value)
    return row === undefined || expiresAtMs === undefined ? row : { ...row, expiresAtMs }
  })
}

async function readEntries<R extends Row>(
  db: LevelDb,
  bounds: { gte?: string; gt?: string; lt: string; fillCache: boolean },
  limit: number,
  read: (key: string, value: Buffer) => R | undefined,
): Promise<R[]> {
  const rows: R[] = []
  const iterator = db.iterator({ ...bounds, highWaterMarkBytes: BYTES_PER_CALL })
  try {
    while (rows.length < limit) {
      const entries = await iterator.nextv(Math.min(limit - rows.length, ENTRIES_PER_CALL_MAX))
      if (entries.length === 0) break
      for (const [key, value] of entries) {
        const row = read(key, value)
        if (row !== undefined) rows.push(row)
      }
    }
  } finally {
    await iterator.close()
  }
  return rows
}

/** @returns `undefined` for a row that has ended */
function toRow(
  table: Table,
  partition: string,
  sort: string,
  stored: Buffer,
  nowMs: number,
): Row | undefined {
  if (isExpired(expiryOf(stored), nowMs)) return undefined
  return { table, partition, sort, version: versionOf(stored), value: valueOf(stored) }
}
