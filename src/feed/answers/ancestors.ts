/** What a post replies to, up to the first post of the thread. */

import { LIMITS } from '../../core/limits.ts'
import type { Circle } from '../../graph/index.ts'
import { lookupPosts } from '../lookups.ts'
import type { Item } from '../posts/items.ts'
import type { Post, Posts } from '../posts/posts.ts'

export interface Ancestor {
  readonly id: number
  /** `undefined` for a post that was deleted, or that the viewer may not see. */
  readonly item: Item | undefined
}

export interface Ancestors {
  /** From the first post of the thread on. */
  readonly path: readonly Ancestor[]
  /** There are more above the first one here. */
  readonly isTruncated: boolean
}

/** Goes on above an ancestor that is not available: its row still says what it replied to. */
export async function readAncestors(
  posts: Posts,
  { replyTo }: Post,
  viewer: Circle | undefined,
): Promise<Ancestors> {
  const path: Ancestor[] = []
  let id = replyTo
  while (id > 0 && path.length < LIMITS.threadAncestorsMax) {
    const [item] = await lookupPosts(posts, [id], viewer)
    path.push({ id, item })
    const post = item?.post ?? (await posts.get(id))
    id = post?.replyTo ?? 0
  }
  return { path: path.reverse(), isTruncated: id > 0 }
}
