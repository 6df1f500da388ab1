/**
 * How many imports there were. An import may add posts older than any page that was served, so an `after` from before
 * it must answer `gap`.
 */

import { struct, u32 } from '../core/codec.ts'
import { defineTable } from '../engine/rows/tables.ts'
import type { Store } from '../ports/store/store.ts'

export const pastTable = defineTable({
  name: 'past',
  partition: () => 'past',
  value: struct({ imports: u32 }),
})

export async function readImports(store: Store): Promise<number> {
  const [row] = await store.get([pastTable.key()])
  return row === undefined ? 0 : pastTable.decode(row).imports
}
