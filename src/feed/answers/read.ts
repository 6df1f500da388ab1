/** Pages of the replies to a post and of its reposts, as one viewer may see them. */

import type { CursorSeal } from '../../core/cursor.ts'
import { LIMITS } from '../../core/limits.ts'
import type { Circle } from '../../graph/index.ts'
import type { Env } from '../../ports/env/env.ts'
import type { Store } from '../../ports/store/store.ts'
import { ENGAGEMENT } from '../events.ts'
import { LISTS, openPostList, sealPostList } from '../lists.ts'
import { lookupPosts } from '../lookups.ts'
import type { Item } from '../posts/items.ts'
import type { Posts } from '../posts/posts.ts'
import type { ListPage } from '../profile.ts'
import { isHidden } from '../tables.ts'
import { scanAnswers, type Order } from './scan.ts'

export interface PageRequest {
  readonly limit: number
  readonly cursor?: string | undefined
}

export interface RepliesRequest extends PageRequest {
  readonly order?: Order | undefined
}

export interface AnswerReads {
  /** The replies to a post that the viewer may see, the latest first unless `order` says otherwise. */
  replies(post: number, viewer: Circle | undefined, request: RepliesRequest): Promise<ListPage>
  /** The public reposts of a post that the viewer may see, the latest first. */
  reposts(post: number, viewer: Circle | undefined, request: PageRequest): Promise<ListPage>
}

interface Asked extends PageRequest {
  readonly list: number
  readonly kind: number
  readonly order: Order
  readonly isShown: (item: Item) => boolean
}

export interface AnswerParts {
  readonly env: Env
  readonly store: Store
  readonly posts: Posts
  readonly seal: CursorSeal
}

/** Posts loaded at once, where a page lacks fewer. */
const LOAD_MIN = 8

export function createAnswerReads(parts: AnswerParts): AnswerReads {
  const { posts, seal } = parts

  /**
   * Where very many answers in a row are deleted or hidden from the viewer, a page may be shorter than `limit` and
   * still have a cursor.
   */
  async function read(target: number, viewer: Circle | undefined, asked: Asked): Promise<ListPage> {
    const { list, kind, order, limit, cursor, isShown } = asked
    const bound = { list, reader: viewer?.number ?? 0, post: target }
    const position = cursor === undefined ? undefined : openPostList(seal, bound, cursor)
    const items: Item[] = []
    const page = (last: number | undefined): ListPage => ({
      items: items.slice(0, limit),
      hasMore: last !== undefined,
      nextCursor: last === undefined ? undefined : sealPostList(seal, { ...bound, position: last }),
    })
    let scanned = 0
    for await (const batch of scanAnswers(parts, { target, kind }, order, position)) {
      for (let at = 0; at < batch.ids.length;) {
        const some = batch.ids.slice(at, at + Math.max(LOAD_MIN, limit + 1 - items.length))
        items.push(...(await lookupPosts(posts, some, viewer)).filter(isShown))
        if (items.length > limit) return page(items[limit - 1].id)
        at += some.length
      }
      scanned += batch.scanned
      const last = batch.ids[batch.ids.length - 1]
      if (scanned >= LIMITS.answersScannedMax && last !== undefined) return page(last)
    }
    return page(undefined)
  }

  return {
    replies: (post, viewer, { order = 'latest', ...request }) =>
      read(post, viewer, {
        ...request,
        list: order === 'latest' ? LISTS.repliesLatest : LISTS.repliesOldest,
        kind: ENGAGEMENT.reply,
        order,
        isShown: () => true,
      }),
    reposts: (post, viewer, request) =>
      read(post, viewer, {
        ...request,
        ...{ list: LISTS.reposts, kind: ENGAGEMENT.repost, order: 'latest' },
        isShown: (item) => !isHidden(item.post),
      }),
  }
}
