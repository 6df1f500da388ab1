/** Rules about what a reading session has shown: repeated reposts, and posts that `after` would give again. */

import { LIMITS } from '../../core/limits.ts'
import { idFloorAt, idTimeMs, TICK_MS } from '../../core/ids.ts'
import { KEPT, verdicts, type Filter } from '../../engine/read/stages.ts'
import type { Item } from '../posts/items.ts'
import type { HomeQuery } from './query.ts'

const SEEN = verdicts('repost_seen', 'already_served')

/**
 * Removes a repost if the read has met a newer one within the window above it, and what earlier pages of the session
 * served. It runs last: a repost that was served still hides older ones of the same original.
 */
export const seenFilter: Filter<HomeQuery, Item> = {
  rules: Object.keys(SEEN),
  judge({ reposts, served }, { id, post }) {
    if (post.repostOf !== 0 && isRepeated(reposts.byOriginal.get(post.repostOf), id)) return SEEN.repost_seen
    return served !== undefined && served.has(id) ? SEEN.already_served : KEPT
  },
}

function isRepeated(others: readonly number[] | undefined, id: number): boolean {
  if (others === undefined) return false
  const until = windowEnd(id)
  return others.some((other) => other > id && other <= until)
}

/** The newest id that lies within the repost window above `id`. */
export const windowEnd = (id: number): number => idFloorAt(idTimeMs(id) + LIMITS.repostWindowMs + TICK_MS) - 1
