/** Limits that several parts share, and assertions about how they relate. Names end with their unit. */

import { assert } from './errors.ts'

export const LIMITS = {
  timelineEntriesMax: 800,
  chunkFollowersMax: 1_000,
  directFollowersMax: 10_000,
  followerBucketBits: 20,
  followingMax: 10_000,
  pageDefault: 20,
  pageMax: 100,
  lookupIdsMax: 100,
  likersScannedMax: 1_000,
  answersScannedMax: 1_000,
  threadAncestorsMax: 50,
  knownLikesMax: 1_024,
  afterServedMax: 128,
  contentGraphemesMax: 5_000,
  contentBytesMax: 262_144,
  customBytesMax: 8_192,
  customDepthMax: 32,
  handleLengthMax: 30,
  externalIdCodePointsMax: 128,
  displayNameGraphemesMax: 100,
  displayNameBytesMax: 4_096,
  bioGraphemesMax: 500,
  bioBytesMax: 16_384,
  clientRefCodePointsMax: 128,
  idempotencyKeyLengthMax: 255,
  idempotencyTtlMs: 24 * 3_600_000,
  bodyBytesMax: 524_288,
  batchItemsMax: 1_000,
  batchBytesMax: 8_388_608,
  batchValuesMax: 131_072,
  logRecordBytesMax: 1_048_576,
  workerBatchEvents: 256,
  workerBatchBytesMax: 4_194_304,
  repostWindowMs: 12 * 3_600_000,
  outboxCacheEntries: 512,
  openPlansMax: 10_000,
  openChunksMax: 1_000_000,
} as const

assert(LIMITS.pageMax <= LIMITS.afterServedMax, 'an `after` cursor must hold the ids of one page')
assert(LIMITS.pageMax < LIMITS.timelineEntriesMax, 'a page must fit into a timeline')
assert(LIMITS.contentBytesMax + LIMITS.customBytesMax < LIMITS.bodyBytesMax, 'a full post must fit a body')
assert(2 * LIMITS.pageMax <= LIMITS.knownLikesMax, 'a page of reposts and their originals must fit')
assert(LIMITS.bodyBytesMax < LIMITS.logRecordBytesMax, 'a body must fit a log record')
