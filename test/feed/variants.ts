/**
 * The world of the feed's histories: limits of a few followers, so that a handful of accounts exercises what millions
 * would.
 */

import { loadChanged, type Change } from '../support/changed.ts'
import type * as history from './history.ts'

export type { Change }

export const SMALL_WORLD: readonly Change[] = [
  { file: 'core/limits.ts', find: 'chunkFollowersMax: 1_000', replace: 'chunkFollowersMax: 2' },
  { file: 'core/limits.ts', find: 'directFollowersMax: 10_000', replace: 'directFollowersMax: 2' },
  { file: 'core/limits.ts', find: 'followerBucketBits: 20', replace: 'followerBucketBits: 3' },
  { file: 'core/limits.ts', find: 'outboxCacheEntries: 512', replace: 'outboxCacheEntries: 5' },
  { file: 'core/limits.ts', find: 'openPlansMax: 10_000', replace: 'openPlansMax: 4' },
  { file: 'engine/read/pipeline.ts', find: 'ROUND_MIN = 8', replace: 'ROUND_MIN = 1' },
  { file: 'engine/fanout/direct.ts', find: 'MEMBERS_A_TURN = 1_000', replace: 'MEMBERS_A_TURN = 2' },
  { file: 'engine/fanout/direct.ts', find: 'SLICE_MEMBERS = 20_000', replace: 'SLICE_MEMBERS = 4' },
  { file: 'engine/fanout/turns.ts', find: 'CHUNKS_A_TURN = 16', replace: 'CHUNKS_A_TURN = 3' },
  { file: 'engine/fanout/runner.ts', find: 'SAVE_EVERY_CHUNKS = 64', replace: 'SAVE_EVERY_CHUNKS = 2' },
  { file: 'engine/fanout/runner.ts', find: 'LAG_EVENTS_HIGH = 2_048', replace: 'LAG_EVENTS_HIGH = 0' },
  { file: 'feed/timelines/pull.ts', find: 'ROUND_AUTHORS_MAX = 1_000', replace: 'ROUND_AUTHORS_MAX = 4' },
  { file: 'feed/timelines/pulls.ts', find: 'MERGED_AT_LIBERTY = 64', replace: 'MERGED_AT_LIBERTY = 1' },
  { file: 'feed/timelines/pulls.ts', find: 'AUTHORS_AT_ONCE = 1_000', replace: 'AUTHORS_AT_ONCE = 4' },
  { file: 'feed/answers/scan.ts', find: 'const ROWS = 256', replace: 'const ROWS = 2' },
  { file: 'feed/home/reveals.ts', find: 'KEPT_MAX = 4_096', replace: 'KEPT_MAX = 4' },
  { file: 'graph/circle.ts', find: 'RANGE_LIMIT = 10_000', replace: 'RANGE_LIMIT = 2' },
]

/** By the name that the replay command takes. In `direct`, audiences of several packed rows need no plan. */
export const WORLDS: Readonly<Record<string, readonly Change[]>> = {
  small: SMALL_WORLD,
  direct: SMALL_WORLD.map((change) =>
    change.find.startsWith('directFollowersMax') ? { ...change, replace: 'directFollowersMax: 5' } : change,
  ),
  plain: [],
}

/** The history runner over an engine with these changes. */
export const loadVariant = (changes: readonly Change[]): Promise<typeof history> =>
  loadChanged('test/feed/history.ts', changes)
