/** Likes over HTTP: PUT likes a post, DELETE likes it no longer, GET lists who likes it. */

import { notFound } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import { authorBody } from '../../graph/index.ts'
import { ok } from '../../http/route.ts'
import { idAt } from '../../http/validation.ts'
import type { LikeState } from './commands.ts'
import { countsBody } from '../render.ts'
import type { PostRouteParts } from '../route-parts.ts'
import { ListQuery, postId } from '../schemas.ts'

const likeBody = ({ post, liked }: LikeState) => ({
  post_id: String(post.id),
  liked,
  counts: countsBody(post),
})

export function likeRoutes(parts: PostRouteParts): void {
  const { router, feed } = parts
  for (const on of [true, false]) {
    router.write({
      method: on ? 'PUT' : 'DELETE',
      path: '/posts/:id/like',
      name: on ? 'like' : 'unlike',
      summary: on ? 'Like a post' : 'Like a post no longer',
      description:
        'Repeating it changes nothing and answers the same. A repost is liked as what it repeats: `post_id` is the ' +
        'original.',
      tag: 'posts',
      access: 'account',
      params: postId,
      answers: { 200: 'Like' },
      problems: ['invalid_id', 'not_found'],
      async run({ caller, params }, once) {
        const by = caller.account?.number ?? 0
        return ok(likeBody(await feed.commands.like(by, idAt(params.id, 'params.id'), on, once)))
      },
      async replay({ caller, params }) {
        const by = caller.account?.number ?? 0
        return ok(likeBody(await feed.commands.likeState(by, idAt(params.id, 'params.id'))))
      },
    })
  }
  likersRoute(parts)
}

function likersRoute({ router, feed, graph, viewerOf }: PostRouteParts): void {
  router.read({
    method: 'GET',
    path: '/posts/:id/likes',
    name: 'getLikes',
    summary: 'Who likes a post, the latest like first',
    description:
      'Without accounts that the caller blocks or that block the caller. A page may be shorter than `limit` and still ' +
      'have more. Of a repost, the list is that of the original.',
    tag: 'posts',
    access: 'authenticated',
    params: postId,
    query: ListQuery,
    answers: { 200: 'AccountPage' },
    problems: ['invalid_id', 'invalid_cursor', 'not_found'],
    async answer({ caller, params, query }) {
      const viewer = await viewerOf(caller)
      const post = await feed.reads.original(idAt(params.id, 'params.id'), viewer)
      if (post === undefined) throw notFound()
      const { limit = LIMITS.pageDefault, cursor } = query
      const { likers, nextCursor } = await feed.reads.likers(post.id, viewer, limit, cursor)
      const accounts = await graph.accounts.byNumbers(likers)
      return ok({
        accounts: accounts.flatMap((account) => (account === undefined ? [] : [authorBody(account)])),
        next_cursor: nextCursor ?? null,
        has_more: nextCursor !== undefined,
      })
    },
  })
}
