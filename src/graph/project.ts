/**
 * Graph events → rows. Every row is written by the events of one key only, so one partition of the log decides it. What
 * an event means for rows of another key is told to that key by a derived event (`barred`).
 */

import { projection } from '../engine/rows/projection.ts'
import type { Event } from '../engine/events.ts'
import type { Rows } from '../engine/rows/rows.ts'
import { isEndedBy } from './circle.ts'
import * as events from './events.ts'
import { followerKeys, followerLeafKeys, setFollower } from './followers.ts'
import {
  accountsTable,
  blockedByTable,
  blocksTable,
  followBarsTable,
  followingTable,
  mutesTable,
  numbersTable,
  policyTable,
  tiersTable,
  type PairState,
} from './tables.ts'

const created = projection({
  on: events.accountCreated,
  needs: ({ body }) => [accountsTable.key(body.account), numbersTable.key(body.number)],
  apply({ body, id, version }, rows) {
    const key = accountsTable.key(body.account)
    // Two requests may have taken over the same claim: the first event in the log creates the account, and the other
    // request finds that `createdBy` is not its own. (After a crash this event may find its own row, yet without the
    // row of its number: then it goes on.)
    const known = rows.get(accountsTable, key)
    if (known !== undefined && known.createdBy !== id) return
    const { account, number, externalId, handle, displayName, bio } = body
    rows.put(accountsTable, key, version, {
      id: account,
      number,
      createdBy: id,
      externalId,
      handle,
      displayName,
      bio,
    })
    rows.put(numbersTable, numbersTable.key(number), version, { id: account })
  },
})

const changed = projection({
  on: events.accountChanged,
  needs: ({ body }) => [numbersTable.key(body.number)],
  needsMore({ body }, rows) {
    const known = rows.get(numbersTable, numbersTable.key(body.number))
    return known === undefined ? [] : [accountsTable.key(known.id)]
  },
  apply({ body, version }, rows) {
    const known = rows.get(numbersTable, numbersTable.key(body.number))
    if (known === undefined) return
    const key = accountsTable.key(known.id)
    const account = rows.get(accountsTable, key)
    if (account === undefined || rows.versionOf(key) >= version) return
    rows.put(accountsTable, key, version, {
      ...account,
      handle: body.handle ?? account.handle,
      displayName: body.displayName ?? account.displayName,
      bio: body.bio ?? account.bio,
    })
  },
})

const followed = projection({
  on: events.followed,
  needs: ({ body }) => [...followerKeys(body.followee, body.follower), ...standingKeys(body)],
  needsMore: ({ body }, rows) => followerLeafKeys(body.followee, body.follower, rows),
  apply({ body, id, version }, rows) {
    const standing = standingOf(rows, body, id)
    if (standing === 'void') return
    // Following again gives the edge the newer id: with the old one, a block between the two follows, which this key
    // has not met yet, would end it.
    rows.put(followingTable, edgeKey(body), version, { on: true, id })
    if (standing === 'counts') setFollower(rows, body.followee, body.follower, true, version)
  },
})

const unfollowed = projection({
  on: events.unfollowed,
  needs: ({ body }) => [...followerKeys(body.followee, body.follower), edgeKey(body)],
  needsMore: ({ body }, rows) => followerLeafKeys(body.followee, body.follower, rows),
  apply({ body, id, version }, rows) {
    const edge = rows.get(followingTable, edgeKey(body))
    // Only a newer follow that is on is spared. For an edge that is off, ending goes on: a crash may have kept its row
    // and lost the follower counts that belong to it.
    if (body.before !== undefined && edge?.on === true && edge.id > body.before) return
    endFollow(rows, body, id, version)
  },
})

/** Tells the followee's key of a block by its follower. The event may come again, and after newer ones. */
const barred = projection({
  on: events.barred,
  needs: ({ body }) => [...followerKeys(body.followee, body.follower), ...standingKeys(body), edgeKey(body)],
  needsMore: ({ body }, rows) => followerLeafKeys(body.followee, body.follower, rows),
  apply({ body, id, version }, rows) {
    const barKey = followBarsTable.key(body.followee, body.follower)
    const before = rows.get(followBarsTable, barKey)
    if (before !== undefined && before.id > body.id) return
    const isLifted = !body.on && before !== undefined && (before.on || rows.versionOf(barKey) === version)
    rows.put(followBarsTable, barKey, version, { on: body.on, id: body.id })
    const edge = rows.get(followingTable, edgeKey(body))
    if (edge?.on !== true && !body.on) return
    const standing = edge?.on === true ? standingOf(rows, body, edge.id) : 'void'
    if (standing === 'void') return endFollow(rows, body, id, version)
    setFollower(rows, body.followee, body.follower, standing === 'counts', version)
    // While the follow did not count, posts were not pushed to this follower. With a new id the edge counts as not
    // backfilled, so they are pulled until a backfill brings them.
    if (isLifted && standing === 'counts') rows.put(followingTable, edgeKey(body), version, { on: true, id })
  },
})

interface Edge {
  readonly follower: number
  readonly followee: number
}

const edgeKey = ({ follower, followee }: Edge) => followingTable.key(follower, followee)

const standingKeys = ({ follower, followee }: Edge) => [
  blocksTable.key(followee, follower),
  followBarsTable.key(followee, follower),
]

/**
 * Whether a follow counts, by the blocks of the pair that the followee's key knows of. Commands check for blocks before
 * they append a follow; this decides about a follow that was appended while a block was on its way.
 *
 * `suspended`: by what is known here, the follower has blocked the followee since before the follow. If the block was
 * lifted before the follow, and this partition has not been told yet, the follow counts once it is; else it never does.
 */
function standingOf(rows: Rows, edge: Edge, followId: number): 'counts' | 'suspended' | 'void' {
  const [ownKey, barKey] = standingKeys(edge)
  const own = rows.get(blocksTable, ownKey)
  if (own !== undefined && isEndedBy(own, followId)) return 'void'
  const bar = rows.get(followBarsTable, barKey)
  if (bar === undefined) return 'counts'
  if (followId < bar.id) return 'void'
  return bar.on ? 'suspended' : 'counts'
}

function endFollow(rows: Rows, edge: Edge, id: number, version: number): void {
  setFollower(rows, edge.followee, edge.follower, false, version)
  rows.put(followingTable, edgeKey(edge), version, { on: false, id })
}

/** Writes a pair's state into both accounts' partitions, so that each reads its circle as one range. */
function putBlock({ body: { by, of }, version }: Event<Pair>, state: PairState, rows: Rows): void {
  rows.put(blocksTable, blocksTable.key(by, of), version, state)
  rows.put(blockedByTable, blockedByTable.key(of, by), version, state)
}

/** A block ends the follows of the pair: here the one of the blocker, and the blocker's own by the derived `barred`. */
const blocked = projection({
  on: events.blocked,
  needs: ({ body: { by, of } }) => [
    blocksTable.key(by, of),
    ...followerKeys(by, of),
    followingTable.key(of, by),
  ],
  needsMore: ({ body: { by, of } }, rows) => followerLeafKeys(by, of, rows),
  apply(event, rows, effects) {
    const { by, of } = event.body
    const before = rows.get(blocksTable, blocksTable.key(by, of))
    // Blocking an account that is blocked already does not begin a new block.
    const onId = before?.on === true ? before.onId : event.id
    putBlock(event, { on: true, id: event.id, onId, offId: before?.offId ?? 0 }, rows)
    endFollow(rows, { follower: of, followee: by }, event.id, event.version)
    effects.derive(events.barred, of, { follower: by, followee: of, on: true, id: onId })
  },
})

const unblocked = projection({
  on: events.unblocked,
  needs: ({ body: { by, of } }) => [blocksTable.key(by, of)],
  apply(event, rows, effects) {
    const { by, of } = event.body
    const before = rows.get(blocksTable, blocksTable.key(by, of))
    // Without a block there is nothing to lift, and follows made since the last one must go on. After a crash, this
    // event may find the row that it wrote itself (`offId` is its id): then it goes on.
    if (before === undefined || (!before.on && before.offId !== event.id)) return
    putBlock(event, { on: false, id: event.id, onId: before.onId, offId: event.id }, rows)
    effects.derive(events.barred, of, { follower: by, followee: of, on: false, id: event.id })
  },
})

type Pair = { by: number; of: number }

function putMute({ body: { by, of }, id, version }: Event<Pair>, on: boolean, rows: Rows): void {
  const key = mutesTable.key(by, of)
  const { onId, offId } = rows.get(mutesTable, key) ?? { onId: 0, offId: 0 }
  rows.put(mutesTable, key, version, { on, id, onId: on ? id : onId, offId: on ? offId : id })
}

const muted = projection({
  on: events.muted,
  needs: ({ body: { by, of } }) => [mutesTable.key(by, of)],
  apply: (event, rows) => putMute(event, true, rows),
})

const unmuted = projection({
  on: events.unmuted,
  needs: ({ body: { by, of } }) => [mutesTable.key(by, of)],
  apply: (event, rows) => putMute(event, false, rows),
})

const tier = projection({
  on: events.tierSet,
  apply({ body, version }, rows) {
    rows.put(tiersTable, tiersTable.key(body.number), version, body)
  },
})

const policy = projection({
  on: events.policyChanged,
  needs: () => [policyTable.key()],
  apply({ body, version }, rows) {
    const before = rows.get(policyTable, policyTable.key())?.policy ?? '{}'
    if (rows.versionOf(policyTable.key()) >= version) return
    const changed = { ...JSON.parse(before), ...JSON.parse(body.policy) }
    rows.put(policyTable, policyTable.key(), version, { policy: JSON.stringify(changed) })
  },
})

export const graphProjections = [
  created,
  changed,
  followed,
  unfollowed,
  barred,
  blocked,
  unblocked,
  muted,
  unmuted,
  tier,
  policy,
]
