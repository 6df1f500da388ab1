/** Like a post, or like it no longer. */

import { afterAccepted, notFound } from '../../core/errors.ts'
import type { Idempotency } from '../../engine/events.ts'
import type { Circle, Graph } from '../../graph/index.ts'
import type { FeedContext } from '../context.ts'
import { liked } from '../events.ts'
import { shownOriginal } from '../lookups.ts'
import type { Post, Posts } from '../posts/posts.ts'
import type { ViewerLikes } from './viewer-likes.ts'

/** Whether an account likes a post; the post has the count. */
export interface LikeState {
  readonly post: Post
  readonly liked: boolean
}

export interface LikeCommands {
  /** A repost is liked as what it repeats. Throws `not_found` for a post that `by` may not see. */
  like(by: number, post: number, on: boolean, once?: Idempotency): Promise<LikeState>
  /** Throws `not_found` as above. */
  likeState(by: number, post: number): Promise<LikeState>
}

export function createLikeCommands(
  context: FeedContext,
  graph: Graph,
  posts: Posts,
  likes: ViewerLikes,
): LikeCommands {
  async function target(viewer: Circle, id: number): Promise<Post> {
    const post = await shownOriginal(posts, id, viewer)
    if (post === undefined) throw notFound()
    return post
  }

  async function state(by: number, post: Post): Promise<LikeState> {
    return { post: (await posts.get(post.id)) ?? post, liked: await likes.has(by, post.id) }
  }

  return {
    async like(by, id, on, once) {
      const post = await target(await graph.circles.of(by), id)
      const body = { by, post: post.id, author: post.author, on }
      // What would change nothing is appended only if its idempotency key must be remembered, or if other processes
      // write, too: then what this one knows may be a little old.
      if (once !== undefined || context.isShared || (await likes.has(by, post.id)) !== on) {
        await context.produce(liked, by, body, once)
        graph.activity.touch(by)
      }
      // The count changes only once the author's own events know of the like. The like stands already, so a wait that
      // fails does not fail the command.
      await context.awaitProjected(post.author).catch(() => undefined)
      return afterAccepted(state(by, post))
    },
    async likeState(by, id) {
      return state(by, await target(await graph.circles.of(by), id))
    },
  }
}
