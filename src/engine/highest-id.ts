/**
 * How far ids and views had come, saved with every checkpoint. Events below it are not read again at a start, so a
 * clock that was set back must not give their ids a second time; and timelines that stand below what had been
 * published then lost something that no replay brings back.
 */

import { struct, u53 } from '../core/codec.ts'
import { ID_MAX, type IdSource } from '../core/ids.ts'
import type { Store } from '../ports/store/store.ts'
import { defineTable } from './tables.ts'

export const highestIdTable = defineTable({
  name: 'highest_id',
  partition: () => 'ids',
  value: struct({ id: u53, published: u53 }),
})

/** What no timeline stands at: whoever starts next makes all of them anew. */
export const NO_TIMELINE = ID_MAX

/**
 * Takes an id of its own, so that what is saved later always stands.
 * @param published the horizon that the views had been told
 */
export async function saveHighestId(store: Store, ids: IdSource, published: number): Promise<void> {
  const id = ids.next()
  await store.write([highestIdTable.row(highestIdTable.key(), id, { id, published })])
}

/** @returns the horizon that every intact timeline stands at or above */
export async function loadHighestId(store: Store, ids: IdSource): Promise<number> {
  const [row] = await store.get([highestIdTable.key()])
  if (row === undefined) return 0
  const { id, published } = highestIdTable.decode(row)
  ids.observe(id)
  return published
}
