/** All tables of the store, as their modules declare them: `rivulet migrate` creates them, `move` copies them. */

import * as deadLetters from '../../engine/worker/dead-letters.ts'
import * as engine from '../../engine/horizon/highest-id.ts'
import * as idempotency from '../../engine/rows/idempotency.ts'
import * as members from '../../engine/processes/members.ts'
import * as nodeLeases from '../../engine/processes/node-lease.ts'
import { pastTable } from '../../feed/index.ts'
import * as feed from '../../feed/tables.ts'
import * as graph from '../../graph/tables.ts'
import type { Table } from '../../ports/store/store.ts'
import * as imports from '../import/tables.ts'
import * as leases from '../../engine/processes/lease.ts'
import * as moves from './half-moved.ts'
import * as notes from './notes.ts'

const isTable = (value: unknown): value is Table =>
  typeof value === 'object' && value !== null && 'name' in value && 'kind' in value && 'decode' in value

/** Each table once, though several kinds of rows may share it. */
export function allTables(): readonly Table[] {
  const declared = [
    ...[engine, idempotency, members, nodeLeases, deadLetters],
    ...[feed, graph, { pastTable }],
    ...[imports, leases, moves, notes],
  ]
  const tables = declared.flatMap((module) => Object.values(module)).filter(isTable)
  return [...new Map(tables.map((table) => [table.name, table])).values()]
}
