/** A copy that was interrupted goes on where it was, unless another version had begun it in another order. */

import { expect, test } from 'vitest'
import { struct, u32 } from '../../../src/core/codec.ts'
import { idKey } from '../../../src/core/keys.ts'
import { copyRows } from '../../../src/app/move/copy.ts'
import { movesTable } from '../../../src/app/ports/half-moved.ts'
import { defineTable } from '../../../src/engine/rows/tables.ts'
import { createRealEnv } from '../../../src/ports/env/real.ts'
import { createMemoryStore } from '../../../src/ports/store/memory/memory.ts'
import type { Store } from '../../../src/ports/store/store.ts'

const env = createRealEnv()
const table = (name: string) =>
  defineTable({ name, partition: (key: number) => idKey(key), value: struct({ n: u32 }) })
const [first, second, third] = ['first', 'second', 'third'].map(table)
const SOURCE = 'deployment'

async function filled(): Promise<Store> {
  const store = createMemoryStore({ env })
  for (const one of [first, second, third])
    for (let n = 1; n <= 3; n++) await store.write([one.row(one.key(n), 1, { n })])
  return store
}

const copy = (from: Store, to: Store, tables: readonly ReturnType<typeof table>[]) =>
  copyRows({ from, to, source: SOURCE, tables, progress: () => () => undefined })

const countOf = async (store: Store, one: ReturnType<typeof table>) =>
  (await store.scan(one, undefined, 10)).length

/** A target whose process died once it had copied this much of the table. */
async function interrupted(from: Store, tables: readonly ReturnType<typeof table>[]): Promise<Store> {
  const to = createMemoryStore({ env })
  let left = 4
  const dying: Store = {
    ...to,
    async write(rows) {
      if (--left < 0) throw new Error('killed')
      await to.write(rows)
    },
  }
  await expect(copy(from, dying, tables)).rejects.toThrow('killed')
  return to
}

test('it goes on with the table at which it was', async () => {
  const from = await filled()
  const to = await interrupted(from, [first, second, third])
  await copy(from, to, [first, second, third])
  expect(await Promise.all([first, second, third].map((one) => countOf(to, one)))).toEqual([3, 3, 3])
})

test('begun in another order, it begins again', async () => {
  const from = await filled()
  const to = await interrupted(from, [third, second, first])
  await copy(from, to, [first, second, third])
  expect(await Promise.all([first, second, third].map((one) => countOf(to, one)))).toEqual([3, 3, 3])
})

test('begun by version 0.1.0, which did not note the order, it begins again', async () => {
  const from = await filled()
  const to = createMemoryStore({ env })
  const place = { from: SOURCE, table: 'third', partition: '', sort: '', rows: 0, done: false, order: '' }
  await to.write([movesTable.row(movesTable.key(), 1, place)])
  await copy(from, to, [first, second, third])
  expect(await Promise.all([first, second, third].map((one) => countOf(to, one)))).toEqual([3, 3, 3])
})
