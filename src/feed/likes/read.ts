/** Who likes a post, the latest like first. */

import type { CursorSeal } from '../../core/cursor.ts'
import { idKeyDesc, parseIdKeyDesc } from '../../core/keys.ts'
import { LIMITS } from '../../core/limits.ts'
import { pagesOf } from '../../engine/rows/scan.ts'
import { isBlocked, type Circle } from '../../graph/index.ts'
import type { Store } from '../../ports/store/store.ts'
import { LISTS, openPostList, sealPostList } from '../lists.ts'
import { latestLikesTable } from '../tables.ts'

export interface LikersPage {
  /** Account numbers. */
  readonly likers: readonly number[]
  readonly nextCursor: string | undefined
}

/**
 * Leaves out those between whom and the viewer there is a block. Where very many are left out in a row, a page may be
 * shorter than `limit` and still have a cursor.
 */
export function createLikersRead(store: Store, seal: CursorSeal) {
  return async (
    post: number,
    viewer: Circle | undefined,
    limit: number,
    cursor?: string,
  ): Promise<LikersPage> => {
    const list = { list: LISTS.likes, reader: viewer?.number ?? 0, post }
    const from = cursor === undefined ? '' : idKeyDesc(openPostList(seal, list, cursor) - 1)
    const { partition } = latestLikesTable.key(post, 0)
    const likers: number[] = []
    let position = 0
    let scanned = 0
    const page = (hasMore: boolean): LikersPage => ({
      likers,
      nextCursor: hasMore ? sealPostList(seal, { ...list, position }) : undefined,
    })
    for await (const rows of pagesOf(store, latestLikesTable, partition, from, limit + 1)) {
      for (const { at, value } of rows) {
        if (value.on && !(viewer !== undefined && isBlocked(viewer, value.by))) {
          if (likers.length === limit) return page(true)
          likers.push(value.by)
        }
        position = parseIdKeyDesc(at)
      }
      scanned += rows.length
      if (rows.length > limit && scanned >= LIMITS.likersScannedMax) return page(true)
    }
    return page(false)
  }
}
