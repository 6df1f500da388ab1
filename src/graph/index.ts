/** The graph domain: accounts, follows, blocks and mutes, when accounts were seen, and the push-or-pull policy. */

import { isEvent, tablesIn, type BuiltDomain, type DomainHost, type DomainSpec } from '../engine/domain.ts'
import { idTimeMs } from '../core/ids.ts'
import { includesSorted } from '../core/sorted.ts'
import type { Event } from '../engine/events.ts'
import type { Audience } from '../engine/fanout/audience.ts'
import { createMarks, type Marks } from '../engine/fanout/marks.ts'
import { createAccounts, type Accounts } from './accounts.ts'
import { createActivity, minuteOf, type Activity } from './activity.ts'
import { createCircles, followId, withFollow, withMute, type Circle, type Circles } from './circle.ts'
import { createGraphCommands, type GraphCommands } from './commands.ts'
import * as events from './events.ts'
import { createPolicies, type Policies } from './policy.ts'
import { graphProjections } from './project.ts'
import { graphReactors } from './reactors.ts'
import { createGraphReads, type GraphReads } from './read.ts'
import { createFollowerAudience } from './read/audiences.ts'
import * as tables from './tables.ts'

export interface Graph {
  readonly accounts: Accounts
  readonly circles: Circles
  readonly activity: Activity
  readonly marks: Marks
  readonly policies: Policies
  readonly commands: GraphCommands
  readonly reads: GraphReads
  /** The followers of accounts. */
  readonly followers: Audience
}

function createGraph({ context }: DomainHost): BuiltDomain<Graph> {
  const { store } = context
  const accounts = createAccounts(store, context.isShared)
  const circles = createCircles(store)
  const activity = createActivity(context)
  const marks = createMarks(store, tables.marksTable)
  const policies = createPolicies()
  const reads = createGraphReads(store, accounts, circles)
  const followers = createFollowerAudience(store)
  const commands = createGraphCommands(context, accounts, circles, policies, reads)

  function projected(event: Event): void {
    if (isEvent(event, events.followed)) {
      const { follower, followee } = event.body
      // If there is or was a block between the two, the follow may not count: only the rows tell.
      circles.change(follower, event.id, (circle) =>
        includesSorted(circle.everBlocked, followee)
          ? undefined
          : withFollow(circle, followee, event.id, true),
      )
    } else if (isEvent(event, events.barred)) {
      circles.drop(event.body.follower)
    } else if (isEvent(event, events.unfollowed)) {
      const { follower, followee, before } = event.body
      const ends = (circle: Circle) => before === undefined || (followId(circle, followee) ?? before) < before
      circles.change(follower, event.id, (circle) =>
        ends(circle) ? withFollow(circle, followee, event.id, false) : circle,
      )
    } else if (isEvent(event, events.blocked) || isEvent(event, events.unblocked)) {
      circles.drop(event.body.by)
      circles.drop(event.body.of)
    } else if (isEvent(event, events.muted) || isEvent(event, events.unmuted)) {
      const on = isEvent(event, events.muted)
      circles.change(event.body.by, event.id, (circle) => withMute(circle, event.body.of, event.id, on))
    } else if (isEvent(event, events.accountCreated)) {
      activity.saw([event.body.number], minuteOf(idTimeMs(event.id)))
    } else if (isEvent(event, events.seen)) {
      activity.saw(event.body.numbers, event.body.minute)
    } else if (isEvent(event, events.marksRaised)) {
      marks.learn(event.body.raises)
    } else if (isEvent(event, events.accountChanged)) accounts.drop(event.body.number)
    else if (isEvent(event, events.tierSet)) {
      policies.setTier(event.body.number, event.body.override, event.body.share)
    } else if (isEvent(event, events.policyChanged)) policies.change(event.body.policy)
  }

  return {
    api: { accounts, circles, activity, marks, policies, commands, reads, followers },
    projections: graphProjections,
    projected: (batch) => batch.forEach(projected),
    reactors: graphReactors(store, activity),
    async start() {
      await Promise.all([activity.load(), marks.load(), policies.load(store)])
    },
    async forget() {
      circles.clear()
      accounts.clear()
      await Promise.all([marks.load(), policies.load(store)])
    },
    stop: () => activity.stop(),
  }
}

export const graphDomain: DomainSpec<Graph> = {
  name: 'graph',
  tags: [1, 19],
  events: Object.values(events),
  tables: tablesIn(tables),
  create: createGraph,
}

export * from './circle.ts'
export * from './policy.ts'
export * from './schemas.ts'
export * from './tables.ts'
export type { Accounts, Activity, GraphCommands, GraphReads }
export { displayNameFault, externalIdFault } from './commands/profile.ts'
export type { Profile } from './commands/profile.ts'
export type { Relationship } from './commands/relationship.ts'
export type { NumberPage } from './read.ts'
export * as graphEvents from './events.ts'
export * from './followers.ts'
export { createAccountRefs, type AccountRefs } from './refs.ts'
export { AuthorSchema, authorBody, isoTime } from './render.ts'
