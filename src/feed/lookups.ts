/** Reads of single things: posts by id, an author's count of posts. */

import type { Circle } from '../graph/index.ts'
import type { Store } from '../ports/store/store.ts'
import type { Item } from './posts/items.ts'
import type { Post, Posts } from './posts/posts.ts'
import { mayView } from './profile.ts'
import { postTotalsTable } from './tables.ts'

export async function lookupPosts(
  posts: Posts,
  ids: readonly number[],
  viewer: Circle | undefined,
): Promise<readonly Item[]> {
  const found = await posts.load(ids)
  const originals = [...found.values()].flatMap((post) => (post.repostOf > 0 ? [post.repostOf] : []))
  const repeated = originals.length > 0 ? await posts.load(originals) : found
  return ids.flatMap((id) => {
    const post = found.get(id)
    if (post === undefined || !mayView(viewer, post)) return []
    const original = post.repostOf > 0 ? repeated.get(post.repostOf) : undefined
    if (post.repostOf > 0 && (original === undefined || !mayView(viewer, original))) return []
    return [{ id, author: post.author, post, original }]
  })
}

/** What a post is for likes and reposts: itself, or the original of a repost; `undefined` if the viewer may not see it. */
export async function shownOriginal(
  posts: Posts,
  id: number,
  viewer: Circle | undefined,
): Promise<Post | undefined> {
  const [item] = await lookupPosts(posts, [id], viewer)
  return item?.original ?? item?.post
}

export async function countPublicPosts(store: Store, author: number): Promise<number> {
  const [row] = await store.get([postTotalsTable.key(author)])
  if (row === undefined) return 0
  const { posts, hidden } = postTotalsTable.decode(row)
  return posts - hidden
}
