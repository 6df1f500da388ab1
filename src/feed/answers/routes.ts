/** Replies and reposts of a post over HTTP. */

import { notFound } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import { ok } from '../../http/route.ts'
import { idAt } from '../../http/validation.ts'
import { threadBody } from './render.ts'
import { listRest } from '../render.ts'
import type { PostRouteParts } from '../route-parts.ts'
import { ListQuery, postId, RepliesQuery, ThreadQuery } from '../schemas.ts'

export function answerRoutes(parts: PostRouteParts): void {
  repostsRoute(parts)
  repliesRoute(parts)
  threadRoute(parts)
}

function repliesRoute({ router, feed, renderer, viewerOf }: PostRouteParts): void {
  router.read({
    method: 'GET',
    path: '/posts/:id/replies',
    name: 'getReplies',
    summary: 'The replies to a post that the caller may see',
    description: 'A page may be shorter than `limit` and still have more.',
    tag: 'posts',
    access: 'authenticated',
    params: postId,
    query: RepliesQuery,
    answers: { 200: 'PostPage' },
    problems: ['invalid_id', 'invalid_cursor', 'not_found'],
    async answer({ caller, params, query }) {
      const viewer = await viewerOf(caller)
      const [item] = await feed.reads.lookup([idAt(params.id, 'params.id')], viewer)
      if (item === undefined) throw notFound()
      const { limit = LIMITS.pageDefault, cursor, order } = query
      const page = await feed.reads.replies(item.id, viewer, { limit, cursor, order })
      return ok(await renderer.posts(page.items, viewer, listRest(page)))
    },
  })
}

function threadRoute({ router, feed, renderer, viewerOf }: PostRouteParts): void {
  router.read({
    method: 'GET',
    path: '/posts/:id/thread',
    name: 'getThread',
    summary: 'A post with what it replies to, and the first replies to it',
    description:
      `\`ancestors\` has at most ${LIMITS.threadAncestorsMax} posts, from the first of the thread on; with \`truncated\`, ` +
      'the nearest ones. `next_cursor` goes on in `/posts/{id}/replies`.',
    tag: 'posts',
    access: 'authenticated',
    params: postId,
    query: ThreadQuery,
    answers: { 200: 'Thread' },
    problems: ['invalid_id', 'not_found'],
    async answer({ caller, params, query }) {
      const viewer = await viewerOf(caller)
      const [item] = await feed.reads.lookup([idAt(params.id, 'params.id')], viewer)
      if (item === undefined) throw notFound()
      const { limit = LIMITS.pageDefault, order } = query
      const [ancestors, replies] = await Promise.all([
        feed.reads.ancestors(item.post, viewer),
        feed.reads.replies(item.id, viewer, { limit, order }),
      ])
      return ok(await threadBody(renderer, viewer, { item, ancestors, replies }))
    },
  })
}

function repostsRoute({ router, feed, renderer, viewerOf }: PostRouteParts): void {
  router.read({
    method: 'GET',
    path: '/posts/:id/reposts',
    name: 'getReposts',
    summary: 'The public reposts of a post that the caller may see, the latest first',
    description:
      'A page may be shorter than `limit` and still have more. Of a repost, the list is that of the original.',
    tag: 'posts',
    access: 'authenticated',
    params: postId,
    query: ListQuery,
    answers: { 200: 'PostPage' },
    problems: ['invalid_id', 'invalid_cursor', 'not_found'],
    async answer({ caller, params, query }) {
      const viewer = await viewerOf(caller)
      const post = await feed.reads.original(idAt(params.id, 'params.id'), viewer)
      if (post === undefined) throw notFound()
      const { limit = LIMITS.pageDefault, cursor } = query
      const page = await feed.reads.reposts(post.id, viewer, { limit, cursor })
      return ok(await renderer.posts(page.items, viewer, listRest(page)))
    },
  })
}
