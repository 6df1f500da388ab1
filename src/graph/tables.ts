/** The rows of the graph. Partition and sort keys are base 36 (core/keys.ts). */

import { bool, f64Array, optional, struct, text, u32, u32Array, u53, u8, type Codec } from '../core/codec.ts'
import { LIMITS } from '../core/limits.ts'
import { idKey, u32Key } from '../core/keys.ts'
import { defineTable } from '../engine/rows/tables.ts'

export const accountsTable = defineTable({
  name: 'accounts',
  partition: (id: number) => idKey(id),
  value: struct({
    id: u53,
    number: u32,
    /** Id of the event that created it: tells a creator whether it was the first. */
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

/** Which blocks of account numbers are given out. */
export const numberLeasesTable = defineTable({
  name: 'number_leases',
  kind: 'once',
  partition: (_block: number) => 'leases',
  sort: (block: number) => u32Key(block),
  value: struct({ block: u32 }),
})

/** Who may be called so. The account id stands here before the account does. */
const claim = struct({
  account: u53,
  /** The id was first claimed for an external id: nobody else may take it over. */
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
 * Followers of an account, as numbers, in buckets of 2^20 account numbers. A head holds up to 1,000 numbers
 * itself; above that it is a directory of leaves, each a key range of up to 1,000 numbers.
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
 * An account's circle: everything that decides what it is entitled to see, in one partition, so that one
 * range reads it. Six kinds of rows, told apart by a letter; each row is written by the events of one key.
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
/** Edges that came by import, packed; a row of `following` for the same edge goes before them. Key: the first of them. */
export const followingPackedTable = circleTable('p', struct({ numbers: u32Array, ids: f64Array }))
/** The follow (by event id) since which an edge's earlier posts are in the follower's timeline. */
export const backfillsTable = circleTable('b', struct({ followId: u53 }))

const pairState = struct({
  on: bool,
  /** Of the last event that was about this pair. */
  id: u53,
  /** Of the events that last switched it on, and off. */
  onId: u53,
  offId: u53,
})
/** Whom it blocks, and who blocks it: written by the blocker's events, in both partitions. */
export const blocksTable = circleTable('o', pairState)
export const blockedByTable = circleTable('i', pairState)
export const mutesTable = circleTable('m', pairState)

/**
 * What a followee's own events know of a block by one of its followers. The block itself belongs to the follower's
 * events; it is told to the followee (`barred`), so that rows of its followers and their count can heed it.
 */
export const followBarsTable = defineTable({
  name: 'follow_bars',
  partition: (followee: number, _follower: number) => u32Key(followee),
  sort: (_followee: number, follower: number) => u32Key(follower),
  /** `id`: of the event that switched the block on or off. */
  value: struct({ on: bool, id: u53 }),
})

export const tiersTable = defineTable({
  name: 'tiers',
  partition: (number: number) => u32Key(number),
  value: struct({ number: u32, override: u8, share: u8 }),
})
export const policyTable = defineTable({
  name: 'policy',
  partition: () => 'policy',
  value: struct({ policy: text }),
})

/** Newest post that was not pushed to edges beyond a share of n eighths, for n = 0 … 7. */
export const marksTable = defineTable({
  name: 'marks',
  partition: (number: number) => u32Key(number),
  value: struct({ number: u32, marks: f64Array }),
})

/** Minute in which each of 1,024 accounts was last seen. */
export const activityTable = defineTable({
  name: 'activity',
  partition: (block: number) => u32Key(block),
  value: struct({ block: u32, minutes: u32Array }),
})

export type PairState = ReturnType<typeof blocksTable.decode>
export type Account = ReturnType<typeof accountsTable.decode>
export type FollowerHead = ReturnType<typeof followerHeadsTable.decode>
export type FollowerTotals = ReturnType<typeof followerTotalsTable.decode>
