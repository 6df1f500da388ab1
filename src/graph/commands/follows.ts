/** Follow and unfollow. */

import { afterAccepted, RivuletError } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import type { EngineContext } from '../../engine/context.ts'
import type { Idempotency } from '../../engine/events.ts'
import { followId, follows, isBlocked, type Circles } from '../circle.ts'
import { followed, unfollowed } from '../events.ts'
import { blockedByTable, blocksTable } from '../tables.ts'
import { produceEdge, relationshipOf, type Relationship } from './relationship.ts'

export interface FollowCommands {
  follow(follower: number, followee: number, once?: Idempotency): Promise<Relationship>
  unfollow(follower: number, followee: number, once?: Idempotency): Promise<Relationship>
}

export function createFollowCommands(context: EngineContext, circles: Circles): FollowCommands {
  /** By follower, how many follows are on their way into the log: they count towards the limit, too. */
  const underWayOf = new Map<number, number>()

  function checkLimit(follower: number, following: number): void {
    if (following + (underWayOf.get(follower) ?? 0) < LIMITS.followingMax) return
    throw new RivuletError('follow_limit', `an account follows at most ${LIMITS.followingMax} others`)
  }

  function count(follower: number, by: 1 | -1): void {
    const underWay = (underWayOf.get(follower) ?? 0) + by
    if (underWay > 0) underWayOf.set(follower, underWay)
    else underWayOf.delete(follower)
  }

  return {
    async follow(follower, followee, once) {
      if (follower === followee) throw new RivuletError('follow_self', 'an account cannot follow itself')
      const circle = await circles.of(follower)
      if (context.isShared ? await isBlockedNow(context, follower, followee) : isBlocked(circle, followee)) {
        throw followRefused()
      }
      const already = followId(circle, followee) !== undefined
      if (!already) checkLimit(follower, circle.following.length)
      const change = { type: followed, key: followee, body: { follower, followee } }
      count(follower, 1)
      try {
        await produceEdge(context, !already, change, once)
      } finally {
        count(follower, -1)
      }
      const state = await afterAccepted(relationshipOf(circles, follower, followee))
      // A block at the same moment has ended the follow, or kept it from counting.
      if (!state.following && isBlocked(await circles.of(follower), followee)) throw followRefused()
      return state
    },
    async unfollow(follower, followee, once) {
      const circle = await circles.of(follower)
      const body = { follower, followee, before: undefined }
      const change = { type: unfollowed, key: followee, body }
      await produceEdge(context, follows(circle, followee), change, once)
      return afterAccepted(relationshipOf(circles, follower, followee))
    },
  }
}

/**
 * Reads the blocks of a pair from the store, because where several processes write, the cached circle may be older
 * than a block that another one has just lifted. A follow counts only if its id lies above that of the pair's last
 * block event, so this process's ids are raised above it here.
 */
async function isBlockedNow({ store, ids }: EngineContext, one: number, other: number): Promise<boolean> {
  const tables = [blocksTable, blockedByTable]
  const rows = await store.get(tables.map((table) => table.key(one, other)))
  const pairs = rows.flatMap((row, i) => (row === undefined ? [] : [tables[i].decode(row)]))
  for (const { id } of pairs) ids.observe(id)
  return pairs.some(({ on }) => on)
}

/** Does not say why: whether an account blocks another one is not told. */
const followRefused = () => new RivuletError('follow_refused', 'you cannot follow this account')
