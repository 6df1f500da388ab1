/**
 * Leaves out repeated reposts: one is not shown if a newer repost of the same original, to which the reader is
 * entitled as well, lies within 12 hours above it. A page from a cursor has not read what lies above it, so it looks
 * for such reposts there.
 */

import { LIMITS } from '../../core/limits.ts'
import { idFloorAt, idTimeMs, TICK_MS } from '../../core/ids.ts'
import { readRound, type Filter, type Pipeline } from '../../engine/read/pipeline.ts'
import type { Env } from '../../ports/env/env.ts'
import { hydrateItems, type Item } from '../posts/items.ts'
import type { Posts } from '../posts/posts.ts'
import { KIND, repostHash } from '../tables.ts'
import type { Candidate } from '../timelines/pull.ts'
import { uncounted, type HomeQuery } from './query.ts'
import { authorRules, postRules } from './rules.ts'

/** Keeps a repost unless the read has met a newer one within the window above it. */
export const recentRepost: Filter<HomeQuery, Item> = {
  name: 'recent_repost',
  keep({ reposts }, { id, post }) {
    if (post.repostOf === 0) return true
    const until = windowEnd(id)
    return !reposts.byOriginal.get(post.repostOf)?.some((other) => other > id && other <= until)
  },
}

/** The newest id that lies within the repost window above `id`. */
const windowEnd = (id: number): number => idFloorAt(idTimeMs(id) + LIMITS.repostWindowMs + TICK_MS) - 1

/**
 * @param pipeline the home feed's, which is defined with the result of this
 * @returns a function that finds, for the items of a round, all reposts that `recentRepost` must know of
 */
export function createRepostFinder(
  env: Env,
  posts: Posts,
  pipeline: () => Pipeline<HomeQuery, Candidate, Item>,
) {
  /**
   * Looks for the reposts of each original once: from the start of this read up to `until`, the end of the window of
   * the newest repost in the round. The windows of older ones end below that.
   */
  async function lookAbove(query: HomeQuery, items: readonly Item[], until: number): Promise<void> {
    const { start, lookedFor } = query.reposts
    const hashes = new Set(
      items.flatMap(({ post }) => (post.repostOf > 0 ? [repostHash(post.repostOf)] : [])),
    )
    for (const hash of hashes) if (lookedFor.has(hash)) hashes.delete(hash)
    if (until < start || hashes.size === 0) return
    const above = uncounted(query)
    for (let below = until + 1; below > start;) {
      const window = { below, atLeast: start, limit: 200 }
      const round = await readRound(env, pipeline(), above, window, query.failed)
      const reposts = round.candidates.filter(
        (candidate) =>
          (candidate.kind & KIND.repost) !== 0 &&
          hashes.has(candidate.kind >>> 3) &&
          authorRules.every((rule) => rule.keep(above, candidate)),
      )
      remember(query, await hydrateItems(posts, reposts))
      below = round.lower
    }
    for (const hash of hashes) lookedFor.add(hash)
  }

  return (query: HomeQuery, items: readonly Item[]): Promise<void> | undefined => {
    remember(query, items)
    const newest = items.find(({ post }) => post.repostOf > 0)
    return newest === undefined ? undefined : lookAbove(query, items, windowEnd(newest.id))
  }
}

function remember(query: HomeQuery, items: readonly Item[]): void {
  const { reposts } = query
  // The page applies the same rules to these items, and counts them there.
  const other = uncounted(query)
  for (const item of items) {
    const original = item.post.repostOf
    if (original === 0 || !postRules.every((rule) => rule.keep(other, item))) continue
    const known = reposts.byOriginal.get(original)
    if (known === undefined) reposts.byOriginal.set(original, [item.id])
    else if (!known.includes(item.id)) known.push(item.id)
  }
}
