/** The progress of a move, kept in the store of its target, so that an interrupted move can continue. */

import { bool, struct, text, u53 } from '../../core/codec.ts'
import { defineTable } from '../../engine/rows/tables.ts'

export const movesTable = defineTable({
  name: 'moves',
  partition: () => 'move',
  value: struct({
    /** The id of the deployment that the rows come from. */
    from: text,
    /** The table that is being copied, and the key of its last copied row; an empty key for none. */
    table: text,
    partition: text,
    sort: text,
    rows: u53,
    /** All rows are copied and compared. */
    done: bool,
    /** The names of the tables in the order in which they are copied. Version 0.1.0 did not write it. */
    order: text,
  }),
})
