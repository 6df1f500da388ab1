/** Reads single rows and ranges. Keys of one partition are read with one query; ranges are read by pages. */

import type { types } from 'cassandra-driver'
import type { CassandraClient, Statement } from './client.ts'
import { mapBounded } from './slots.ts'
import { type Statements, toCqlPartition, toRow } from './tables.ts'
import type { Row, RowKey, RowRange, Table } from '../store.ts'

export interface CassandraReader {
  get(keys: readonly RowKey[], nowMs: number): Promise<(Row | undefined)[]>
  range(ranges: readonly RowRange[], nowMs: number): Promise<Row[][]>
}

/** Sort keys in one query. A query for 20 sort keys of a partition costs a fifth of 20 queries. */
const SORTS_MAX = 100
/** Queries of one call at a time. */
const WIDTH = 32
const PAGE_ROWS_MAX = 500
const PAGE_ROWS_MIN = 50

export function createCassandraReader(
  client: CassandraClient,
  statementsOf: (table: Table) => Statements,
): CassandraReader {
  async function readGroup({ table, partition, sorts }: KeyGroup, nowMs: number): Promise<Map<string, Row>> {
    const { get, getMany } = statementsOf(table)
    const [first, second] = sorts
    const key = toCqlPartition(partition)
    const statement =
      second === undefined
        ? { query: get, params: [key, first] }
        : { query: getMany, params: [key, [...sorts]] }
    const found = new Map<string, Row>()
    // A page may end early by its bytes, hence the loop. A page size above the number of rows spares a last, empty page.
    for (let from: string | undefined; ;) {
      const page = await client.read(statement, { rows: SORTS_MAX + 1, from })
      for (const raw of page.rows) {
        const row = toRow({ table, partition, sort: raw.sort as string }, raw, nowMs)
        if (row !== undefined) found.set(row.sort, row)
      }
      from = page.next
      if (from === undefined) return found
    }
  }

  function readRange(range: RowRange, nowMs: number): Promise<Row[]> {
    const { table, partition, from, to, limit } = range
    if (to !== undefined && to <= from) return Promise.resolve([])
    const statements = statementsOf(table)
    const key = toCqlPartition(partition)
    const statement =
      to === undefined
        ? { query: statements.from, params: [key, from] }
        : { query: statements.fromTo, params: [key, from, to] }
    const read = (raw: types.Row) => toRow({ table, partition, sort: raw.sort as string }, raw, nowMs)
    return readRows(client, statement, limit, read)
  }

  return {
    async get(keys, nowMs) {
      const groups = new KeyGroups()
      const places = keys.map((key) => groups.add(key))
      const answers = await mapBounded(groups.all, WIDTH, (group) => readGroup(group, nowMs))
      return keys.map((key, index) => answers[places[index]].get(key.sort))
    },
    range: (ranges, nowMs) => mapBounded(ranges, WIDTH, (range) => readRange(range, nowMs)),
  }
}

/**
 * Reads pages until there are `limit` rows that have not ended. Each page is a read of its own: a reader sees the rows of
 * one write together within a page, but not across two pages.
 */
export async function readRows<R extends Row>(
  client: CassandraClient,
  statement: Statement,
  limit: number,
  read: (raw: types.Row) => R | undefined,
): Promise<R[]> {
  const found: R[] = []
  let pageRows = Math.min(limit, PAGE_ROWS_MAX)
  let from: string | undefined
  do {
    const page = await client.read(statement, { rows: pageRows, from })
    for (const raw of page.rows) {
      const row = read(raw)
      if (row !== undefined) found.push(row)
      if (found.length === limit) return found
    }
    from = page.next
    // Where many rows have ended, larger pages reach the others sooner.
    pageRows = Math.min(PAGE_ROWS_MAX, Math.max(PAGE_ROWS_MIN, pageRows * 2))
  } while (from !== undefined)
  return found
}

interface KeyGroup {
  readonly table: Table
  readonly partition: string
  readonly sorts: Set<string>
}

/** Groups keys by table and partition, without repeats. */
class KeyGroups {
  readonly all: KeyGroup[] = []
  readonly #open = new Map<string, number>()
  readonly #places = new Map<string, number>()

  /** @returns the index of the key's group in `all` */
  add({ table, partition, sort }: RowKey): number {
    const id = `${table.name}\0${partition}`
    const keyId = `${id}\0${sort}`
    const place = this.#places.get(keyId) ?? this.#place(id, table, partition)
    this.all[place].sorts.add(sort)
    this.#places.set(keyId, place)
    return place
  }

  #place(id: string, table: Table, partition: string): number {
    const open = this.#open.get(id)
    if (open !== undefined && this.all[open].sorts.size < SORTS_MAX) return open
    this.#open.set(id, this.all.length)
    return this.all.push({ table, partition, sorts: new Set() }) - 1
  }
}
