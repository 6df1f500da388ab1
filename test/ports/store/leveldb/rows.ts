/** The rows that the LevelDB tests and their child processes write: for every version the same. */

import { expect } from 'vitest'
import type { RowInsert, RowKey, RowWrite, Store, Table } from '../../../../src/ports/store/store.ts'

export const posts: Table = { name: 'posts', kind: 'versioned' }
export const heads: Table = { name: 'heads', kind: 'versioned' }
export const claims: Table = { name: 'claims', kind: 'once' }

const GROUP_ROWS = 20
const partitionOf = (version: number) => `author-${version % 7}`
const sortOf = (version: number, index: number) => `${String(version).padStart(8, '0')}-${index}`

/** A group of new rows in one partition, and the partition's head, which every group overwrites. */
export function rowsOf(version: number): RowWrite[] {
  const partition = partitionOf(version)
  const value = Buffer.alloc(60, version % 251)
  const rows = Array.from({ length: GROUP_ROWS }, (_, index) => ({
    table: posts,
    partition,
    sort: sortOf(version, index),
    version,
    value,
  }))
  return [...rows, { table: heads, partition, sort: '', version, value }]
}

export const claimOf = (version: number): RowInsert => ({
  table: claims,
  partition: `claim-${version}`,
  sort: '',
  value: Buffer.from(String(version)),
})

/** @returns whether the group is there; fails if only a part of it is */
export async function hasGroup(store: Store, version: number): Promise<boolean> {
  const [head, ...rows] = await store.get(rowsOf(version).toReversed() satisfies RowKey[])
  const present = rows.filter((row) => row !== undefined).length
  expect([0, GROUP_ROWS], `rows of group ${version}`).toContain(present)
  if (present > 0) expect(head?.version, `head after group ${version}`).toBeGreaterThanOrEqual(version)
  return present > 0
}
