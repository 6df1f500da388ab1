/** Replies and reposts of a post over HTTP. */

import { notFound } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import { ok } from '../../http/route.ts'
import { idAt } from '../../http/validation.ts'
import { listRest } from '../render.ts'
import type { PostRouteParts } from '../route-parts.ts'
import { ListQuery, postId } from '../schemas.ts'

export function answerRoutes(parts: PostRouteParts): void {
  repostsRoute(parts)
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
