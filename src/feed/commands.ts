/** What callers may do to posts. Each command validates, appends an event, and waits until its rows are stored. */

import { afterAccepted, notFound, RivuletError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { checkText, invalid } from '../core/text.ts'
import type { FeedContext } from './context.ts'
import type { Idempotency } from '../engine/events.ts'
import type { Circle, Graph } from '../graph/index.ts'
import { deleted, posted } from './events.ts'
import type { Post, Posts } from './posts/posts.ts'
import { checkContent, checkCustom } from './posts/limits.ts'
import { mayView } from './profile.ts'
import { VISIBILITY, type Visibility } from './tables.ts'

export interface NewPost {
  readonly content?: string | undefined
  /** Any JSON value of the application; stored as JSON text. */
  readonly custom?: unknown
  readonly visibility?: Visibility | undefined
  readonly replyTo?: number | undefined
  readonly repostOf?: number | undefined
  readonly clientRef?: string | undefined
}

export interface FeedCommands {
  post(author: number, post: NewPost, once?: Idempotency): Promise<Post>
  /** Only the author may. Deleting a post again changes nothing. */
  delete(author: number, id: number, once?: Idempotency): Promise<void>
}

const NO_REFERENCES = { replyTo: 0, replyToAuthor: 0, repostOf: 0, repostOfAuthor: 0 }

/** A repost is hidden from whom its original is hidden. */
const isShown = (viewer: Circle, original: Post | undefined): boolean =>
  original !== undefined && mayView(viewer, original)

export function createFeedCommands(context: FeedContext, graph: Graph, posts: Posts): FeedCommands {
  const { produce } = context

  /** The post to reply to or to repost. Throws `not_found` if `author` may not see it. */
  async function targetOf(author: number, id: number, path: string): Promise<Post> {
    const post = await posts.get(id)
    const original = post !== undefined && post.repostOf > 0 ? await posts.get(post.repostOf) : undefined
    const viewer = await graph.circles.of(author)
    const isHidden = post !== undefined && post.repostOf > 0 && !isShown(viewer, original)
    if (post === undefined || !mayView(viewer, post) || isHidden) {
      throw new RivuletError(
        'not_found',
        'the post to reply to or repost does not exist, or you may not see it',
        {
          errors: [{ path, message: 'no such post' }],
        },
      )
    }
    return original !== undefined && path === '/repost_of' ? original : post
  }

  async function references(author: number, post: NewPost) {
    if (post.replyTo !== undefined) {
      const target = await targetOf(author, post.replyTo, '/reply_to')
      return { ...NO_REFERENCES, replyTo: target.id, replyToAuthor: target.author }
    }
    if (post.repostOf === undefined) return NO_REFERENCES
    // A repost of a repost becomes a repost of the original.
    const target = await targetOf(author, post.repostOf, '/repost_of')
    if (target.visibility !== VISIBILITY.public) {
      throw new RivuletError('repost_refused', 'only public posts can be reposted')
    }
    return { ...NO_REFERENCES, repostOf: target.id, repostOfAuthor: target.author }
  }

  return {
    async post(author, post, once) {
      const custom = checkPost(post)
      const { replyTo, replyToAuthor, repostOf, repostOfAuthor } = await references(author, post)
      const body = {
        author,
        visibility: VISIBILITY[post.visibility ?? 'public'],
        content: post.content,
        custom,
        replyTo,
        replyToAuthor,
        repostOf,
        repostOfAuthor,
        clientRef: post.clientRef,
      }
      const { id } = await produce(posted, author, body, once)
      graph.activity.touch(author)
      const written = posts.cached(id) ?? (await afterAccepted(posts.get(id)))
      if (written === undefined)
        throw new RivuletError(
          'outcome_unknown',
          'the post was accepted but cannot be read yet; retry with the same key',
        )
      return written
    },
    async delete(author, id, once) {
      const post = await posts.get(id)
      const isOwn = post?.author === author
      if (post === undefined || (!isOwn && !mayView(await graph.circles.of(author), post))) throw notFound()
      if (!isOwn) throw new RivuletError('forbidden', 'only the author of a post may delete it')
      if (!post.deleted || once !== undefined) await produce(deleted, author, { post: id, author }, once)
    },
  }
}

/** @returns `custom` as JSON text */
function checkPost({ content, custom, replyTo, repostOf, clientRef }: NewPost): string | undefined {
  if (replyTo !== undefined && repostOf !== undefined) {
    throw invalid('/repost_of', 'cannot be combined with reply_to: a post is either a reply or a repost')
  }
  if (repostOf !== undefined && (content !== undefined || custom !== undefined)) {
    throw invalid('/repost_of', 'cannot be combined with content or custom: a repost has none of its own')
  }
  if (repostOf === undefined && content === undefined && custom === undefined) {
    throw invalid('', 'needs content, custom or repost_of')
  }
  if (content !== undefined) checkContent(content)
  if (clientRef !== undefined) {
    checkText(clientRef, { path: '/client_ref', codePointsMax: LIMITS.clientRefCodePointsMax })
  }
  return custom === undefined ? undefined : checkCustom(custom)
}
