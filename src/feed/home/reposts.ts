/**
 * Leaves out repeated reposts: one is not shown if a newer repost of the same original, to which the reader is
 * entitled as well, lies within 12 hours above it. A page from a cursor has not read what lies above it, so it looks
 * for such reposts there.
 */

import { readRound } from '../../engine/read/round.ts'
import { KEPT, type Pipeline } from '../../engine/read/stages.ts'
import type { Env } from '../../ports/env/env.ts'
import { hydrateItems, type Item } from '../posts/items.ts'
import type { Posts } from '../posts/posts.ts'
import { KIND, repostHash } from '../tables.ts'
import type { Candidate } from '../timelines/pull.ts'
import { uncounted, type HomeQuery } from './query.ts'
import { authorFilter, goneFilter, postFilter } from './rules.ts'
import { windowEnd } from './seen.ts'

/**
 * @param pipeline the home feed's, which is defined with the result of this
 * @returns a function that finds, for the items of a round, all reposts that the rule `repost_seen` must know of
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
  async function lookAbove(query: HomeQuery, reposts: readonly Item[], until: number): Promise<void> {
    const { start, lookedFor } = query.reposts
    const hashes = new Set(reposts.map(({ post }) => repostHash(post.repostOf)))
    for (const hash of hashes) if (lookedFor.has(hash)) hashes.delete(hash)
    if (until < start || hashes.size === 0) return
    const above = uncounted(query)
    for (let below = until + 1; below > start;) {
      const window = { below, atLeast: start, limit: 200 }
      const round = await readRound(env, pipeline(), above, window, query.failed)
      const alike = round.candidates.filter(
        (candidate) =>
          (candidate.kind & KIND.repost) !== 0 &&
          hashes.has(candidate.kind >>> 3) &&
          authorFilter.judge(above, candidate) === KEPT,
      )
      remember(query, (await hydrateItems(posts, alike)).filter(isRepost))
      below = round.lower
    }
    for (const hash of hashes) lookedFor.add(hash)
  }

  return (query: HomeQuery, items: readonly (Item | undefined)[]): Promise<void> | undefined => {
    const reposts = items.filter(isRepost)
    remember(query, reposts)
    const [newest] = reposts
    return newest === undefined ? undefined : lookAbove(query, reposts, windowEnd(newest.id))
  }
}

const isRepost = (item: Item | undefined): item is Item => item !== undefined && item.post.repostOf > 0

/** Remembers those reposts that the reader is entitled to: the others are not shown, and so hide nothing. */
function remember(query: HomeQuery, reposts: readonly Item[]): void {
  const { byOriginal } = query.reposts
  for (const item of reposts) {
    if (goneFilter.judge(query, item) !== KEPT || postFilter.judge(query, item) !== KEPT) continue
    const known = byOriginal.get(item.post.repostOf)
    if (known === undefined) byOriginal.set(item.post.repostOf, [item.id])
    else if (!known.includes(item.id)) known.push(item.id)
  }
}
