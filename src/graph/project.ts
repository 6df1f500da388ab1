/** Graph events → rows. Every row here is written by the events of one key only. */

import { projection } from '../engine/domain.ts'
import type { Event } from '../engine/events.ts'
import type { Rows } from '../engine/rows.ts'
import type { TypedTable } from '../engine/tables.ts'
import * as events from './events.ts'
import { followerKeys, followerLeafKeys, setFollower } from './followers.ts'
import {
  accountsTable,
  blockedByTable,
  blocksTable,
  followingTable,
  mutesTable,
  numbersTable,
  policyTable,
  tiersTable,
} from './tables.ts'

type PairTable = TypedTable<[number, number], { on: boolean; id: number; onId: number }>

const created = projection({
  on: events.accountCreated,
  needs: ({ body }) => [accountsTable.key(body.account), numbersTable.key(body.number)],
  apply({ body, id, version }, rows) {
    const key = accountsTable.key(body.account)
    // Two creators may have met the same claim: the first in the log is the account, the other one will see it.
    // (After a crash this event may find its own row, and not the one of the number.)
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
  needs: ({ body }) => followerKeys(body.followee, body.follower),
  needsMore: ({ body }, rows) => followerLeafKeys(body.followee, body.follower, rows),
  apply({ body, id, version }, rows) {
    setFollower(rows, body.followee, body.follower, true, version)
    // Following again takes the newer id: an older one may be about to end by a block that lies between.
    rows.put(followingTable, edgeKey(body), version, { on: true, id })
  },
})

const unfollowed = projection({
  on: events.unfollowed,
  needs: ({ body }) => [...followerKeys(body.followee, body.follower), edgeKey(body)],
  needsMore: ({ body }, rows) => followerLeafKeys(body.followee, body.follower, rows),
  apply({ body, id, version }, rows) {
    const edge = rows.get(followingTable, edgeKey(body))
    // Only a living, newer follow is spared: an edge that ended may have outlived, in a crash, the counts beside it.
    if (body.before !== undefined && edge?.on === true && edge.id > body.before) return
    endFollow(rows, body.followee, body.follower, id, version)
  },
})

const edgeKey = ({ follower, followee }: { follower: number; followee: number }) =>
  followingTable.key(follower, followee)

function endFollow(rows: Rows, followee: number, follower: number, id: number, version: number): void {
  setFollower(rows, followee, follower, false, version)
  rows.put(followingTable, followingTable.key(follower, followee), version, { on: false, id })
}

/** A pair's state in both partitions, so that either side reads it as one range. */
function putPair(
  { body, id, version }: Event<{ by: number; of: number }>,
  on: boolean,
  rows: Rows,
  own: PairTable,
  mirror?: PairTable,
): void {
  const key = own.key(body.by, body.of)
  const onId = on ? id : (rows.get(own, key)?.onId ?? 0)
  rows.put(own, key, version, { on, id, onId })
  if (mirror !== undefined) rows.put(mirror, mirror.key(body.of, body.by), version, { on, id, onId })
}

/** A block ends the follows of the pair: the one towards the blocker here, the other one by its own key. */
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
    putPair(event, true, rows, blocksTable, blockedByTable)
    endFollow(rows, by, of, event.id, event.version)
    effects.derive(events.unfollowed, of, { follower: by, followee: of, before: event.id })
  },
})

const unblocked = projection({
  on: events.unblocked,
  needs: ({ body: { by, of } }) => [blocksTable.key(by, of)],
  apply: (event, rows) => putPair(event, false, rows, blocksTable, blockedByTable),
})

const muted = projection({
  on: events.muted,
  needs: ({ body: { by, of } }) => [mutesTable.key(by, of)],
  apply: (event, rows) => putPair(event, true, rows, mutesTable),
})

const unmuted = projection({
  on: events.unmuted,
  needs: ({ body: { by, of } }) => [mutesTable.key(by, of)],
  apply: (event, rows) => putPair(event, false, rows, mutesTable),
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
  blocked,
  unblocked,
  muted,
  unmuted,
  tier,
  policy,
]
