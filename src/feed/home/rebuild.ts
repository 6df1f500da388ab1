/** Asks for a reader's timeline to be rebuilt, if a read found it lost or mostly dead. */

import type { Timelines } from '../timelines/timelines.ts'
import type { HomeQuery } from './query.ts'

const DEAD_SHARE_MIN = 0.25
const DEAD_SAMPLE_MIN = 40

/**
 * Called once the page is made, which would otherwise wait for the rebuild. Dead entries (by unfollowed authors, or of
 * deleted posts) cost a read little each: only when there are many is a rebuild worth it.
 */
export function rebuildIfDue(timelines: Timelines, { reader, stats }: HomeQuery): void {
  const isDead = stats.entries >= DEAD_SAMPLE_MIN && stats.dead >= stats.entries * DEAD_SHARE_MIN
  if (stats.isTimelineLost || isDead) timelines.rebuild(reader)
}
