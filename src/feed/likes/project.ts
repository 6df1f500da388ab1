/** Events of likes → rows: what a liker likes, who likes a post, and how many do. */

import { idTimeMs } from '../../core/ids.ts'
import { projection } from '../../engine/rows/projection.ts'
import { likeCounted, liked } from '../events.ts'
import { latestLikesTable, likersTable, likesTable, NO_COUNTS, postCountsTable } from '../tables.ts'

/**
 * How long the row of an ended like stays in the list, marked as ended, before the store drops it. Lists skip such rows;
 * without an end, one account could make a list arbitrarily long by liking and unliking a post.
 */
const ENDED_TTL_MS = 3_600_000

const onLiked = projection({
  on: liked,
  needs: ({ body: { by, post } }) => [likesTable.key(by, post)],
  apply({ id, body: { by, post, author, on }, version }, rows, effects) {
    const key = likesTable.key(by, post)
    const written = rows.versionOf(key)
    if (written < version) {
      if ((rows.get(likesTable, key)?.on ?? false) === on) return
      rows.put(likesTable, key, version, { on })
    }
    // The event is applied again after a crash. If a later one has changed the row, that one is applied again, too, and
    // tells the author's key what holds now.
    if (written > version) return
    effects.derive(likeCounted, author, { post, by, id, cause: version, on })
  },
})

/** One row for each post and liker decides, so that an event which comes again moves no count. */
const onLikeCounted = projection({
  on: likeCounted,
  needs: ({ body: { post, by } }) => [likersTable.key(post, by), postCountsTable.key(post)],
  apply({ body: { post, by, id, cause, on }, version }, rows) {
    const [likerKey, countsKey] = [likersTable.key(post, by), postCountsTable.key(post)]
    const before = rows.get(likersTable, likerKey)
    if (before !== undefined && before.cause >= cause) return
    rows.put(likersTable, likerKey, version, { id, cause, on })
    const wasOn = before?.on === true
    if (wasOn) {
      const endsAtMs = idTimeMs(id) + ENDED_TTL_MS
      rows.put(latestLikesTable, latestLikesTable.key(post, before.id), version, { by, on: false }, endsAtMs)
    }
    if (on) rows.put(latestLikesTable, latestLikesTable.key(post, id), version, { by, on: true })
    const counts = rows.get(postCountsTable, countsKey) ?? NO_COUNTS
    const likes = counts.likes + Number(on) - Number(wasOn)
    rows.put(postCountsTable, countsKey, version, { ...counts, likes })
  },
})

export const likeProjections = [onLiked, onLikeCounted]
