/**
 * What callers may do to the graph. Each command validates, appends an event, waits until its rows are stored, and
 * answers with the state that it made.
 */

import type { EngineContext } from '../engine/context.ts'
import type { Accounts } from './accounts.ts'
import type { Circles } from './circle.ts'
import { createAccountCommands, type AccountCommands } from './commands/accounts.ts'
import { createBlockCommands, type BlockCommands } from './commands/blocks.ts'
import { createFollowCommands, type FollowCommands } from './commands/follows.ts'
import { createPolicyCommands, type PolicyCommands } from './commands/policy.ts'
import { relationshipOf, type Relationship } from './commands/relationship.ts'
import type { Policies } from './policy.ts'
import type { GraphReads } from './read.ts'

export interface GraphCommands extends AccountCommands, FollowCommands, BlockCommands, PolicyCommands {
  relationship(viewer: number, other: number): Promise<Relationship>
}

export function createGraphCommands(
  context: EngineContext,
  accounts: Accounts,
  circles: Circles,
  policies: Policies,
  reads: GraphReads,
): GraphCommands {
  return {
    ...createAccountCommands(context, accounts, reads),
    ...createFollowCommands(context, circles),
    ...createBlockCommands(context, circles),
    ...createPolicyCommands(context, policies),
    relationship: (viewer, other) => relationshipOf(circles, viewer, other),
  }
}
