/**
 * How many imports there were. An import may add posts older than any page that was served, so an `after` from before
 * it must answer `gap`.
 */

import { struct, u32 } from '../core/codec.ts'
import { defineTable } from '../engine/rows/tables.ts'

export const pastTable = defineTable({
  name: 'past',
  partition: () => 'past',
  value: struct({ imports: u32 }),
})
