/** Typed tables over the store port: they make row keys from a domain's values, and encode row values with a codec. */

import { decode, encode, type Codec } from '../../core/codec.ts'
import type { Row, RowKey, RowWrite, Table } from '../../ports/store/store.ts'

export interface TypedTable<K extends readonly unknown[], V> extends Table {
  /** The start of all sort keys of this table, which tells kinds of rows apart that share a partition. */
  readonly prefix: string
  key(...key: K): RowKey
  decode(row: Row): V
  encode(value: V): Buffer
  row(key: RowKey, version: number, value: V): RowWrite
}

export interface TableOptions<K extends readonly unknown[], V> {
  readonly name: string
  readonly kind?: Table['kind']
  readonly partition: (...key: K) => string
  readonly prefix?: string
  readonly sort?: (...key: K) => string
  readonly value: Codec<V>
}

export function defineTable<K extends readonly unknown[], V>(options: TableOptions<K, V>): TypedTable<K, V> {
  const { partition, sort, prefix = '', value: codec } = options
  const table: TypedTable<K, V> = {
    name: options.name,
    kind: options.kind ?? 'versioned',
    prefix,
    key: (...key) => ({ table, partition: partition(...key), sort: prefix + (sort?.(...key) ?? '') }),
    decode: (row) => decode(codec, row.value),
    encode: (value) => encode(codec, value),
    row: ({ partition, sort }, version, value) => ({
      table,
      partition,
      sort,
      version,
      value: encode(codec, value),
    }),
  }
  return table
}
