/** Hydration: candidates → items, by loading their posts and, for reposts, the originals. */

import type { Post, Posts } from './posts.ts'
import type { Candidate } from '../timelines/pull.ts'

/** A candidate with its post and, for a repost, the original. */
export interface Item {
  readonly id: number
  readonly author: number
  readonly post: Post
  readonly original: Post | undefined
}

/** Loads what is missing in at most two batches. Gives `undefined` in the place of a candidate without a post. */
export async function hydrateItems(
  posts: Posts,
  candidates: readonly Candidate[],
): Promise<(Item | undefined)[]> {
  const found = await loadPosts(posts, candidates)
  return itemsOf(candidates, (id) => found.get(id))
}

/** The same from the cache alone and without originals; `undefined` if a post is not cached. */
export function cachedItems(posts: Posts, candidates: readonly Candidate[]): Item[] | undefined {
  const items: Item[] = []
  for (const { id, author } of candidates) {
    const post = posts.cached(id)
    if (post === undefined) return undefined
    items.push({ id, author, post, original: undefined })
  }
  return items
}

async function loadPosts(posts: Posts, candidates: readonly Candidate[]): Promise<Map<number, Post>> {
  const found = new Map(await posts.load(candidates.map(({ id }) => id)))
  const originals = [...found.values()].flatMap((post) => (post.repostOf > 0 ? [post.repostOf] : []))
  if (originals.length > 0) for (const [id, post] of await posts.load(originals)) found.set(id, post)
  return found
}

function itemsOf(
  candidates: readonly Candidate[],
  postOf: (id: number) => Post | undefined,
): (Item | undefined)[] {
  return candidates.map(({ id, author }) => {
    const post = postOf(id)
    // An entry may be visible before the post's row can be read everywhere, or outlive a post that was erased.
    if (post === undefined) return undefined
    return { id, author, post, original: post.repostOf > 0 ? postOf(post.repostOf) : undefined }
  })
}
