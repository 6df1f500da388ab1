/** All tables of the store, as their modules declare them: `rivulet migrate` creates them, `move` copies them. */

import { tablesIn } from '../../engine/domain.ts'
import { tablesOf } from '../../engine/domains.ts'
import type { Table } from '../../ports/store/store.ts'
import { DOMAINS } from '../domains.ts'
import * as imports from '../import/tables.ts'
import * as moves from './half-moved.ts'
import * as notes from './notes.ts'

export const allTables = (): readonly Table[] => [...tablesOf(DOMAINS), ...tablesIn(imports, moves, notes)]
