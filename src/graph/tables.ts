/** The rows of the graph. Partition and sort keys are base 36 (core/keys.ts). */

import { bool, f64Array, optional, struct, text, u32, u32Array, u53, type Codec } from '../core/codec.ts'
import { LIMITS } from '../core/limits.ts'
import { idKey, u32Key } from '../core/keys.ts'
import { defineMarksTable, defineTiersTable, NUMBER_KEYS } from '../engine/fanout/tables.ts'
import { defineTable } from '../engine/rows/tables.ts'

export const accountsTable = defineTable({
  name: 'accounts',
  partition: (id: number) => idKey(id),
  value: struct({
    id: u53,
    number: u32,
    /** Id of the event that created it. Of two requests that took over the same claim, it tells which one won. */
    createdBy: u53,
    externalId: optional(text),
    handle: optional(text),
    displayName: optional(text),
    bio: optional(text),
  }),
})

const NUMBERS_A_BLOCK = 4_096
export const numberBlock = (number: number): number => Math.floor(number / NUMBERS_A_BLOCK)
export const numbersOfBlock = (block: number): { first: number; end: number } => ({
  first: Math.max(1, block * NUMBERS_A_BLOCK),
  end: (block + 1) * NUMBERS_A_BLOCK,
})

/** Dense number → account id. */
export const numbersTable = defineTable({
  name: 'account_numbers',
  partition: (number: number) => u32Key(numberBlock(number)),
  sort: (number: number) => u32Key(number),
  value: struct({ id: u53 }),
})

/** Which blocks of account numbers are leased to a process, which gives them out (`account-numbers.ts`). */
export const numberLeasesTable = defineTable({
  name: 'number_leases',
  kind: 'once',
  partition: (_block: number) => 'leases',
  sort: (block: number) => u32Key(block),
  value: struct({ block: u32 }),
})

/** Which account id holds a name. The claim is made before the account exists (`claims.ts`). */
const claim = struct({
  account: u53,
  /** The account id was first claimed by an external id: no account without it may take this claim over. */
  external: bool,
})
export const handlesTable = defineTable({
  name: 'handles',
  kind: 'once',
  partition: (handle: string) => handle.toLowerCase(),
  value: claim,
})
export const externalIdsTable = defineTable({
  name: 'external_ids',
  kind: 'once',
  partition: (externalId: string) => externalId,
  value: claim,
})

/**
 * Followers of an account, as account numbers, in buckets of 2^20. A head holds up to 1,000 numbers itself; above that
 * it is a directory of leaves, each of which holds up to 1,000 numbers of a key range (`followers.ts`).
 */
export const followerHeadsTable = defineTable({
  name: 'follower_heads',
  partition: followerPartition,
  value: struct({ count: u32, numbers: u32Array, leafStarts: u32Array, leafCounts: u32Array }),
})
export const followerLeavesTable = defineTable({
  name: 'follower_leaves',
  partition: (followee: number, bucket: number, _start: number) => followerPartition(followee, bucket),
  sort: (_followee: number, _bucket: number, start: number) => u32Key(start),
  value: u32Array,
})
export const bucketOf = (follower: number): number => Math.floor(follower / 2 ** LIMITS.followerBucketBits)
/** The first number of a bucket. */
export const firstOf = (bucket: number): number => bucket * 2 ** LIMITS.followerBucketBits
function followerPartition(followee: number, bucket: number): string {
  return `${u32Key(followee)}.${bucket}`
}

/** How many followers an account has in each bucket. */
export const followerTotalsTable = defineTable({
  name: 'follower_totals',
  partition: (followee: number) => u32Key(followee),
  value: struct({ buckets: u32Array, counts: u32Array }),
})

/**
 * An account's circle: everything that decides what it is entitled to see, in one partition, so that one range reads
 * it. There are six kinds of rows, told apart by the first letter of the sort key.
 */
const circleTable = <V>(prefix: string, value: Codec<V>) =>
  defineTable({
    name: 'circles',
    prefix,
    partition: (one: number, _other: number) => u32Key(one),
    sort: (_one: number, other: number) => u32Key(other),
    value,
  })

/** Whom it follows. Written by the followee's events. */
export const followingTable = circleTable('f', struct({ on: bool, id: u53 }))
/** Imported edges, packed, under the number of the first one. A row of `following` for the same edge overrides it. */
export const followingPackedTable = circleTable('p', struct({ numbers: u32Array, ids: f64Array }))
/** The follow whose backfill is done: the followee's posts from before it are in the follower's timeline. */
export const backfillsTable = circleTable('b', struct({ followId: u53 }))

const pairState = struct({
  on: bool,
  /** Id of the last event about this pair. */
  id: u53,
  /** Ids of the events that last switched the state on, and off. */
  onId: u53,
  offId: u53,
})
/** Whom it blocks, and who blocks it. The blocker's events write both, into the partitions of both accounts. */
export const blocksTable = circleTable('o', pairState)
export const blockedByTable = circleTable('i', pairState)
export const mutesTable = circleTable('m', pairState)

/**
 * What a followee's key knows of a block by one of its followers. The block itself is written by the follower's events;
 * the followee's key is told of it by `barred`, because its own events write the rows and counts of its followers.
 */
export const followBarsTable = defineTable({
  name: 'follow_bars',
  partition: (followee: number, _follower: number) => u32Key(followee),
  sort: (_followee: number, follower: number) => u32Key(follower),
  /** `id` is that of the event that switched the block on or off. */
  value: struct({ on: bool, id: u53 }),
})

/** Push or pull, and the marks of authors, by account number (`engine/fanout/`). */
export const tiersTable = defineTiersTable('', NUMBER_KEYS)
export const marksTable = defineMarksTable('', NUMBER_KEYS)
export const policyTable = defineTable({
  name: 'policy',
  partition: () => 'policy',
  value: struct({ policy: text }),
})

/** The minute in which each of 1,024 accounts was last seen; 0 when nothing is known. */
export const activityTable = defineTable({
  name: 'activity',
  partition: (block: number) => u32Key(block),
  value: struct({ block: u32, minutes: u32Array }),
})

export type PairState = ReturnType<typeof blocksTable.decode>
export type Account = ReturnType<typeof accountsTable.decode>
export type FollowerHead = ReturnType<typeof followerHeadsTable.decode>
export type FollowerTotals = ReturnType<typeof followerTotalsTable.decode>
