/** How far a move has come: kept where it goes to, so that it can go on there. */

import { bool, struct, text, u53 } from '../../core/codec.ts'
import { defineTable } from '../../engine/rows/tables.ts'

export const movesTable = defineTable({
  name: 'moves',
  partition: () => 'move',
  value: struct({
    /** Where the rows come from. */
    from: text,
    /** Of the table under way, the last row that is there; nothing of it when empty. */
    table: text,
    partition: text,
    sort: text,
    rows: u53,
    /** All of it is there, and was compared. */
    done: bool,
  }),
})
