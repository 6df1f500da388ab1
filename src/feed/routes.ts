/** Posts, the home feed and profiles over HTTP. */

import type { Static } from 'typebox'
import { afterAccepted, isRivuletError, notFound, RivuletError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { AccountRef, type Circle, type Graph } from '../graph/index.ts'
import type { Caller } from '../http/auth.ts'
import { created, ok, type Answer, type BatchWrite, type Maybe } from '../http/route.ts'
import { idAt } from '../http/validation.ts'
import type { HomePage, HomeRequest, NewPost, Post } from './index.ts'
import { answerRoutes } from './answers/routes.ts'
import { createRenderer, feedRest, idsBody, listRest, receiptBody } from './render.ts'
import { likeRoutes } from './likes/routes.ts'
import type { FeedRouteParts, PostRouteParts } from './route-parts.ts'
import {
  BatchPost,
  BatchPostsBody,
  FeedQuery,
  ListQuery,
  LookupBody,
  NewPostBody,
  postId,
} from './schemas.ts'

export function feedRoutes(parts: FeedRouteParts): void {
  const { graph } = parts
  const all: PostRouteParts = {
    ...parts,
    renderer: createRenderer(graph.accounts, parts.feed.likes),
    viewerOf: ({ account }) => (account === undefined ? undefined : graph.circles.of(account.number)),
  }
  homeRoute(all)
  profileRoute(all)
  newPostRoute(all)
  batchRoute(all)
  postRoutes(all)
  lookupRoute(all)
  receiptRoute(all)
  likeRoutes(all)
  answerRoutes(all)
}

function homeRoute({ router, feed, renderer }: PostRouteParts): void {
  const whole = (page: HomePage): Maybe<Answer> => {
    const bytes = renderer.posts(page.items, page.circle, feedRest(page))
    return bytes instanceof Promise ? bytes.then(ok) : ok(bytes)
  }
  const idsOnly = (page: HomePage): Answer => ok(Buffer.from(idsBody(page.items) + feedRest(page)))
  router.read({
    method: 'GET',
    path: '/feed',
    name: 'getFeed',
    summary: 'The home feed, latest first',
    description:
      'Posts of the accounts that the caller follows, and their own. A reply by somebody else is shown if it replies ' +
      'to the caller, to an account that the caller follows, or to its own author. `cursor` goes on to older posts, ' +
      'down to the very first; `after` gives exactly what came since an earlier page, or says `gap` and starts over ' +
      'with the newest page.',
    tag: 'feed',
    access: 'account',
    query: FeedQuery,
    answers: { 200: 'FeedPage' },
    problems: ['invalid_cursor', 'not_ready'],
    answer({ caller, query }) {
      const request = { limit: query.limit ?? LIMITS.pageDefault, cursor: query.cursor, after: query.after }
      const read = feed.reads.home(caller.account?.number ?? 0, request)
      return read.then(query.fields === 'ids' ? idsOnly : whole, (error: unknown) => refused(error, request))
    },
  })
}

/** Opening a cursor names `query.cursor` in its error; if it was `after` that was refused, the caller is told so. */
function refused(error: unknown, { after }: HomeRequest): never {
  if (after === undefined || !isRivuletError(error, 'invalid_cursor')) throw error
  throw new RivuletError('invalid_cursor', error.message, {
    errors: (error.errors ?? []).map(({ message }) => ({ path: 'query.after', message })),
  })
}

function profileRoute({ router, feed, refs, renderer, viewerOf }: PostRouteParts): void {
  router.read({
    method: 'GET',
    path: '/accounts/:id/posts',
    name: 'getAccountPosts',
    summary: 'The posts of an account that the caller may see, latest first',
    tag: 'feed',
    access: 'authenticated',
    params: { id: AccountRef('The author') },
    query: ListQuery,
    answers: { 200: 'PostPage' },
    problems: ['invalid_id', 'invalid_cursor', 'not_found'],
    async answer({ caller, params, query }) {
      const author = await refs.inPath(params.id)
      const viewer = await viewerOf(caller)
      const { limit = LIMITS.pageDefault, cursor } = query
      const page = await feed.reads.profile(author.number, viewer, limit, cursor)
      return ok(await renderer.posts(page.items, viewer, listRest(page)))
    },
  })
}

/** A post as the viewer may see it; throws `not_found` for hidden and unknown posts alike. */
async function shown(
  { feed, renderer }: PostRouteParts,
  id: number,
  viewer: Circle | undefined,
): Promise<Buffer> {
  const [item] = await feed.reads.lookup([id], viewer)
  const bytes = item === undefined ? undefined : await renderer.post(item, viewer)
  if (bytes === undefined) throw notFound()
  return bytes
}

/** A new post as its author gets it: even a repost whose original was deleted at the same moment. */
async function own(
  { feed, renderer }: PostRouteParts,
  id: number,
  viewer: Circle | undefined,
): Promise<Buffer> {
  const [item] = await feed.reads.lookup([id], viewer)
  const post = item?.post ?? (await feed.posts.get(id))
  if (post === undefined || post.deleted) throw notFound()
  const bytes = await renderer.post(item ?? { id, author: post.author, post, original: undefined }, viewer)
  if (bytes === undefined) throw notFound()
  return bytes
}

function newPostRoute(parts: PostRouteParts): void {
  const { router, feed, viewerOf } = parts
  const ownFor = async (caller: Caller, id: number) => own(parts, id, await viewerOf(caller))
  router.write({
    method: 'POST',
    path: '/posts',
    name: 'createPost',
    summary: 'Post, reply or repost',
    description:
      'Needs `content`, `custom` or `repost_of`. The answer comes once the post is durable and its author can read it.',
    tag: 'posts',
    access: 'account',
    body: NewPostBody,
    answers: { 201: 'Post' },
    problems: ['invalid_id', 'not_found', 'repost_refused'],
    async run({ caller, body }, once) {
      const { id } = await feed.commands.post(caller.account?.number ?? 0, newPostOf(body), once)
      return created(await afterAccepted(ownFor(caller, id)))
    },
    replay: async ({ caller }, eventId) => created(await ownFor(caller, eventId)),
  })
}

const newPostOf = (body: Static<typeof NewPostBody>): NewPost => ({
  content: body.content,
  custom: body.custom,
  visibility: body.visibility,
  replyTo: body.reply_to === undefined ? undefined : idAt(body.reply_to, '/reply_to'),
  repostOf: body.repost_of === undefined ? undefined : idAt(body.repost_of, '/repost_of'),
  clientRef: body.client_ref,
})

function batchRoute(parts: PostRouteParts): void {
  const { router, graph, feed, refs } = parts
  const ownOf = async (author: number, id: number) => own(parts, id, await graph.circles.of(author))
  router.batch({
    path: '/batch/posts',
    name: 'batchPosts',
    summary: 'Post for many accounts',
    description:
      'An item does what `POST /posts` does on behalf of its author. Posts are made now: `created_at` is not accepted, ' +
      'because only an import into a folder that no server uses can add to the past. Posts without `reply_to` and ' +
      '`repost_of` get ids in the order of the items.',
    tag: 'batches',
    item: BatchPost,
    body: BatchPostsBody,
    answer: 'BatchPosts',
    async prepare(items) {
      const authors = await refs.all(items.map(({ author }) => ({ ref: author, path: '/author' })))
      return items.map(({ author: _, idempotency_key: key, ...body }, at): BatchWrite | RivuletError => {
        const author = authors[at]
        if (author instanceof RivuletError) return author
        const { number } = author
        return {
          ...{ scope: number, key, method: 'POST', path: '/posts', body },
          async run(once) {
            const { id } = await feed.commands.post(number, newPostOf(body), once)
            return created(await afterAccepted(ownOf(number, id)))
          },
          replay: async (eventId) => created(await ownOf(number, eventId)),
        }
      })
    },
  })
}

function postRoutes(parts: PostRouteParts): void {
  const { router, feed, viewerOf } = parts
  router.read({
    method: 'GET',
    path: '/posts/:id',
    name: 'getPost',
    summary: 'A post',
    tag: 'posts',
    access: 'authenticated',
    params: postId,
    answers: { 200: 'Post' },
    problems: ['invalid_id', 'not_found'],
    async answer({ caller, params }) {
      return ok(await shown(parts, idAt(params.id, 'params.id'), await viewerOf(caller)))
    },
  })

  const gone = (id: number) => ok({ id: String(id), deleted: true })
  router.write({
    method: 'DELETE',
    path: '/posts/:id',
    name: 'deletePost',
    summary: "Delete one of the caller's own posts",
    description:
      'From then on nobody sees the post; other processes of the deployment may show it for a moment longer. It cannot ' +
      'be restored, and deleting it again answers the same. Its text stays on disk in the log until the retention ' +
      'ends, 168 hours by default, or somewhat longer.',
    tag: 'posts',
    access: 'account',
    params: postId,
    answers: { 200: 'Deleted' },
    problems: ['invalid_id', 'not_found'],
    async run({ caller, params }, once) {
      const id = idAt(params.id, 'params.id')
      await feed.commands.delete(caller.account?.number ?? 0, id, once)
      return gone(id)
    },
    replay: async ({ params }) => gone(idAt(params.id, 'params.id')),
  })
}

function lookupRoute({ router, feed, renderer, viewerOf }: PostRouteParts): void {
  router.read({
    method: 'POST',
    path: '/posts/lookup',
    name: 'lookupPosts',
    summary: 'Read many posts at once',
    description:
      'In the order asked for. `missing` lists the ids of posts that do not exist or that the caller may not see.',
    tag: 'posts',
    access: 'authenticated',
    body: LookupBody,
    answers: { 200: 'Lookup' },
    problems: ['invalid_id'],
    async answer({ caller, body }) {
      const ids = new Set(body.ids.map((id, at) => idAt(id, `/ids/${at}`)))
      const viewer = await viewerOf(caller)
      const items = await feed.reads.lookup([...ids], viewer)
      for (const { id } of items) ids.delete(id)
      const missing = ids.size === 0 ? '' : `,"missing":${JSON.stringify([...ids].map(String))}`
      return ok(await renderer.posts(items, viewer, `${missing}}`))
    },
  })
}

function receiptRoute({ router, env, graph, feed }: PostRouteParts): void {
  router.read({
    method: 'GET',
    path: '/posts/:id/receipt',
    name: 'getReceipt',
    summary: 'How far the fan-out of a post has come',
    description: "For the post's author and the server key. Counts only.",
    tag: 'posts',
    access: 'authenticated',
    params: postId,
    answers: { 200: 'Receipt' },
    problems: ['invalid_id', 'not_found'],
    async answer({ caller, params }) {
      const post = await feed.posts.get(idAt(params.id, 'params.id'))
      const isTheirs = caller.account === undefined || post?.author === caller.account.number
      if (post === undefined || post.deleted || !isTheirs) throw notFound()
      const receipt = await feed.reads.receipt(post.id)
      return ok(receiptBody(post, receipt, await expectedTier(graph, post), env.wallMs()))
    },
  })
}

/** The tier of a post that fan-out has not reached yet. */
async function expectedTier({ policies, reads }: Graph, post: Post): Promise<'push' | 'pull'> {
  return policies.shareOf(post.author, await reads.followersCount(post.author)) > 0 ? 'push' : 'pull'
}
