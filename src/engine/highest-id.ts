/**
 * The highest id given out, saved with every checkpoint: events below it are not read again at a start, and
 * a clock that was set back must not give their ids a second time.
 */

import { struct, u53 } from '../core/codec.ts'
import type { IdSource } from '../core/ids.ts'
import type { Store } from '../ports/store/store.ts'
import { defineTable } from './tables.ts'

export const highestIdTable = defineTable({
  name: 'highest_id',
  partition: () => 'ids',
  value: struct({ id: u53 }),
})

export async function saveHighestId(store: Store, ids: IdSource): Promise<void> {
  const id = ids.fence()
  await store.write([highestIdTable.row(highestIdTable.key(), id, { id })])
}

export async function loadHighestId(store: Store, ids: IdSource): Promise<void> {
  const [row] = await store.get([highestIdTable.key()])
  if (row !== undefined) ids.observe(highestIdTable.decode(row).id)
}
