/** Checks of the arguments of a store, the same for all adapters, so that none accepts what another refuses. */

import { assert, RivuletError } from '../../core/errors.ts'
import type { RowInsert, RowKey, RowRange, RowWrite, Store, Table } from './store.ts'

const PAGE_LIMIT_MAX = 10_000
const PARTITION_BYTES_MAX = 512
const UTF8_BYTES_PER_UNIT_MAX = 3

const SORT = /^[\x01-\x7f]{0,64}$/
/** Longer than a sort key may be: the smallest bound above a key is the key with one character appended. */
const BOUND = /^[\x01-\x7f]{0,80}$/
const NAME = /^[\x21-\x7e]{1,64}$/
/** NUL separates the parts of a key. Lone surrogates have no UTF-8: two different ones would become the same key. */
const isText = (partition: string) => !partition.includes('\0') && partition.isWellFormed()

interface Checks {
  key(key: RowKey): void
  write(rows: readonly RowWrite[]): void
  insert(rows: readonly RowInsert[]): void
  range(range: RowRange): void
  table(table: Table): void
  limit(limit: number): void
}

/** Wraps a store: rows, keys and ranges outside the contract are refused before the store sees them. */
export function checked(store: Store): Store {
  const checks = createChecks()
  return {
    ...store,
    async get(keys) {
      for (const key of keys) checks.key(key)
      return store.get(keys)
    },
    async range(ranges) {
      for (const range of ranges) checks.range(range)
      return store.range(ranges)
    },
    async write(rows) {
      checks.write(rows)
      return store.write(rows)
    },
    async insertIfAbsent(rows) {
      checks.insert(rows)
      return store.insertIfAbsent(rows)
    },
    async scan(table, after, limit) {
      checks.table(table)
      checks.limit(limit)
      return store.scan(table, after, limit)
    },
  }
}

function createChecks(): Checks {
  const known = new Map<string, Table>()
  let lastPartition = ''

  const learn = (table: Table) => {
    const before = known.get(table.name)
    assert(before === undefined || before.kind === table.kind, `table ${table.name} has two kinds`)
    assert(NAME.test(table.name), `table name ${JSON.stringify(table.name)} is not printable ASCII`)
    known.set(table.name, table)
  }
  const table = (table: Table) => {
    if (known.get(table.name) !== table) learn(table)
  }
  // Rows of one partition usually come one after the other, and checking a partition costs most.
  const partition = (partition: string) => {
    if (partition === lastPartition) return
    checkPartition(partition)
    lastPartition = partition
  }
  // A driver would store anything else as an empty value, or fail half-way through a batch.
  const value = (value: Uint8Array) => {
    if (!(value instanceof Uint8Array)) throw misuse('a value is not a Uint8Array')
  }
  const key = (key: RowKey) => {
    table(key.table)
    partition(key.partition)
    if (!SORT.test(key.sort))
      throw misuse(`sort key ${JSON.stringify(key.sort)} is not ASCII of at most 64 characters`)
  }
  return {
    key,
    table,
    limit: checkLimit,
    write(rows) {
      for (const row of rows) {
        key(row)
        if (row.table.kind !== 'versioned') throw misuse(`write to ${row.table.name}, a table of kind once`)
        if (!(Number.isSafeInteger(row.version) && row.version >= 0))
          throw misuse(`version ${row.version} is not an integer from 0 to 2^53 - 1`)
        value(row.value)
      }
    },
    insert(rows) {
      for (const row of rows) {
        key(row)
        if (row.table.kind !== 'once')
          throw misuse(`insertIfAbsent into ${row.table.name}, a versioned table`)
        value(row.value)
      }
    },
    range(range) {
      table(range.table)
      partition(range.partition)
      checkLimit(range.limit)
      if (!(BOUND.test(range.from) && BOUND.test(range.to ?? '')))
        throw misuse('a bound of a range is not ASCII of at most 80 characters')
    },
  }
}

function checkPartition(partition: string): void {
  const isShort = partition.length * UTF8_BYTES_PER_UNIT_MAX <= PARTITION_BYTES_MAX
  if (!isShort && Buffer.byteLength(partition) > PARTITION_BYTES_MAX) {
    throw misuse(`a partition has more than ${PARTITION_BYTES_MAX} bytes`)
  }
  if (!isText(partition))
    throw misuse(`partition ${JSON.stringify(partition)} contains NUL or a lone surrogate`)
}

function checkLimit(limit: number): void {
  if (!(Number.isInteger(limit) && limit >= 1 && limit <= PAGE_LIMIT_MAX)) {
    throw misuse(`limit ${limit} is not between 1 and ${PAGE_LIMIT_MAX}`)
  }
}

const misuse = (message: string) => new RivuletError('internal', `store misused: ${message}`)
