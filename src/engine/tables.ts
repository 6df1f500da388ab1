/** The tables of the engine itself. No domain writes them but through what the engine offers. */

import { tablesIn } from './domain.ts'
import { highestIdTable } from './horizon/highest-id.ts'
import * as leases from './processes/lease.ts'
import { membersTable } from './processes/members.ts'
import { nodeSpansTable } from './processes/node-lease.ts'
import { idempotencyTable } from './rows/idempotency.ts'
import * as timers from './timers/tables.ts'
import { deadLettersTable } from './worker/dead-letters.ts'
import { reactorPositionsTable } from './worker/positions.ts'

export const engineTables = tablesIn(
  { highestIdTable, membersTable, nodeSpansTable, idempotencyTable, deadLettersTable, reactorPositionsTable },
  leases,
  timers,
)
