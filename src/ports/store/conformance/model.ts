/** The contract of the store as the simplest code that fulfils it, and random histories to compare an adapter with it. */

import * as fc from 'fast-check'
import { isExpired } from '../expiry.ts'
import type { Inserted, Row, RowInsert, RowKey, RowRange, RowWrite, Table } from '../store.ts'

export const VERSIONED: Table = { name: 'suite_versioned', kind: 'versioned' }
export const OTHER: Table = { name: 'suite_other', kind: 'versioned' }
export const ONCE: Table = { name: 'suite_once', kind: 'once' }

export const START_MS = Date.UTC(2026, 0, 1)
export const HOUR_MS = 3_600_000
export const LOG_PARTITIONS = 3

export type Step =
  | { readonly kind: 'write'; readonly rows: readonly RowWrite[] }
  | { readonly kind: 'insert'; readonly rows: readonly RowInsert[] }
  | { readonly kind: 'get'; readonly keys: readonly RowKey[] }
  | { readonly kind: 'range'; readonly ranges: readonly RowRange[] }
  | { readonly kind: 'scan'; readonly table: Table; readonly limit: number }
  /** By how much the position of each log partition has risen since the last checkpoint. */
  | { readonly kind: 'checkpoint'; readonly advance: readonly number[] }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'reopen' }

export function createModel(wallMs: () => number) {
  const rows = new Map<string, RowWrite>()
  const idOf = (key: RowKey) => JSON.stringify([key.table.name, key.partition, key.sort])
  const live = (row: RowWrite | undefined): Row | undefined =>
    row === undefined || isExpired(row.expiresAtMs, wallMs()) ? undefined : plain(row)
  return {
    write(batch: readonly RowWrite[]) {
      for (const row of batch)
        if (row.version >= (rows.get(idOf(row))?.version ?? 0)) rows.set(idOf(row), row)
    },
    insert(batch: readonly RowInsert[]): Inserted[] {
      return batch.map((row) => {
        const before = rows.get(idOf(row))
        if (before === undefined) rows.set(idOf(row), { ...row, version: 0 })
        return { inserted: before === undefined, value: before?.value ?? row.value }
      })
    },
    get: (keys: readonly RowKey[]) => keys.map((key) => live(rows.get(idOf(key)))),
    range: ({ table, partition, from, to, limit }: RowRange): Row[] =>
      [...rows.values()]
        .filter((row) => row.table === table && row.partition === partition)
        .filter((row) => row.sort >= from && (to === undefined || row.sort < to))
        .filter((row) => live(row) !== undefined)
        .sort((a, b) => (a.sort < b.sort ? -1 : 1))
        .slice(0, limit)
        .map(plain),
    all: (table: Table): Row[] =>
      [...rows.values()].filter((row) => row.table === table && live(row) !== undefined).map(plain),
  }
}

/** A row in a form that can be compared: without its expiry, its value as a plain Uint8Array. */
export const plain = ({ table, partition, sort, version, value }: Row): Row => ({
  table,
  partition,
  sort,
  version,
  value: Uint8Array.from(value),
})

export const inOrder = (rows: readonly Row[]): Row[] =>
  rows.map(plain).sort((a, b) => (a.partition + '\0' + a.sort < b.partition + '\0' + b.sort ? -1 : 1))

/** Few keys, so that writes meet. Some partitions are prefixes of others, one is empty, some are not ASCII. */
const partition = fc.constantFrom('', 'a', 'ab', 'a\x01', 'ü', '日本', '🦊', '￿')
const sort = fc.constantFrom('', '0', '00', '1', 'A', 'a', 'z', '~')
const table = fc.constantFrom(VERSIONED, OTHER)
const anyTable = fc.constantFrom(VERSIONED, OTHER, ONCE)

/** The contract demands that writes of a row with the same version are equal, so the version determines the rest. */
const rowWrite = fc
  .record({ table, partition, sort, version: fc.integer({ min: 0, max: 12 }) })
  .map((row): RowWrite => {
    const value = new TextEncoder().encode(`${row.table.name}/${row.sort}@${row.version}`)
    const ends = row.version % 3 === 2
    return { ...row, value, ...(ends && { expiresAtMs: START_MS + row.version * 900_000 }) }
  })

const rowInsert = fc
  .record({ partition, sort, text: fc.string({ maxLength: 3 }) })
  .map(({ text, ...key }): RowInsert => ({ ...key, table: ONCE, value: new TextEncoder().encode(text) }))

const rowRange = fc
  .record({
    table: anyTable,
    partition,
    from: sort,
    to: fc.option(sort),
    limit: fc.integer({ min: 1, max: 6 }),
  })
  .map(({ to, ...range }): RowRange => (to === null ? range : { ...range, to }))

const many = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: 1, maxLength: 6 })

export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: many(rowWrite).map((rows): Step => ({ kind: 'write', rows })) },
    { weight: 2, arbitrary: many(rowInsert).map((rows): Step => ({ kind: 'insert', rows })) },
    {
      weight: 3,
      arbitrary: many(fc.record({ table: anyTable, partition, sort })).map((keys): Step => ({
        kind: 'get',
        keys,
      })),
    },
    { weight: 4, arbitrary: many(rowRange).map((ranges): Step => ({ kind: 'range', ranges })) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('scan' as const),
        table: anyTable,
        limit: fc.integer({ min: 1, max: 5 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc
        .array(fc.nat(), { minLength: LOG_PARTITIONS, maxLength: LOG_PARTITIONS })
        .map((advance): Step => ({ kind: 'checkpoint', advance })),
    },
    { weight: 1, arbitrary: fc.constantFrom(600_000, 1_800_000).map((ms): Step => ({ kind: 'wait', ms })) },
    { weight: 1, arbitrary: fc.constant<Step>({ kind: 'reopen' }) },
  ),
  { maxLength: 30 },
)
