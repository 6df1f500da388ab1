/** Posts, pages and receipts as JSON Schema, for both requests and answers. */

import Type from 'typebox'
import { LIMITS } from '../core/limits.ts'
import { AccountRef, AuthorSchema } from '../graph/index.ts'
import { batchAnswer, batchBody, batchFields } from '../http/batch-schemas.ts'
import {
  Cursor,
  EXAMPLE_ID,
  Id,
  Limit,
  Nullable,
  SEEN_TEXT_PATTERN,
  TEXT_PATTERN,
  Time,
} from '../http/schemas.ts'
import { READ_BY_HAND } from '../http/validation.ts'
import { ORDERS } from './answers/scan.ts'
import { VISIBILITIES } from './tables.ts'

const closed = { additionalProperties: false }

const visibility = Type.Enum([...VISIBILITIES])

const count = Type.Integer({ minimum: 0 })
const counts = Type.Object({ replies: count, reposts: count, likes: count }, closed)

const post = {
  id: Id('The post.'),
  author: Type.Object(AuthorSchema.properties, closed),
  content: Nullable(Type.String()),
  custom: Type.Unknown({ description: 'The JSON that the application attached; null if it attached none.' }),
  visibility,
  reply_to: Nullable(Id('The post that this one replies to.')),
  repost_of: Nullable(Id('The original of a repost.')),
  client_ref: Nullable(Type.String()),
  created_at: Time('When the post was accepted.'),
  counts,
  viewer: Type.Union(
    [
      Type.Object({ own: Type.Boolean(), following_author: Type.Boolean(), liked: Type.Boolean() }, closed),
      Type.Null(),
    ],
    { description: 'How the caller stands to the post; null for the application itself.' },
  ),
}

export const PostSchema = Type.Object(
  {
    ...post,
    original: Type.Optional(
      Type.Object(post, { ...closed, description: 'Of a repost only: the original post.' }),
    ),
  },
  { ...closed, title: 'Post' },
)
const Posts = Type.Array(Type.Object(PostSchema.properties, closed))

export const PostPageSchema = Type.Object(
  { posts: Posts, next_cursor: Nullable(Type.String()), has_more: Type.Boolean() },
  { ...closed, title: 'PostPage' },
)

export const UnavailableSchema = Type.Object(
  { id: Id('A post that was deleted, or that the caller may not see.'), unavailable: Type.Literal(true) },
  { ...closed, title: 'Unavailable' },
)

export const ThreadSchema = Type.Object(
  {
    ancestors: Type.Array(
      Type.Union([
        Type.Object(PostSchema.properties, closed),
        Type.Object(UnavailableSchema.properties, closed),
      ]),
      {
        description: 'The posts that this one replies to, from the first on.',
        maxItems: LIMITS.threadAncestorsMax,
      },
    ),
    truncated: Type.Optional(
      Type.Literal(true, {
        description: 'Only when true: there are more ancestors above the first one here.',
      }),
    ),
    post: Type.Object(PostSchema.properties, closed),
    replies: Posts,
    next_cursor: Nullable(
      Type.String({
        description: '`cursor` of `/posts/{id}/replies` with the same `order`; null after the last.',
      }),
    ),
  },
  { ...closed, title: 'Thread' },
)

export const FeedPageSchema = Type.Object(
  {
    posts: Type.Union([Posts, Type.Array(Type.Object({ id: Id('The post.') }, closed))], {
      description: 'Latest first. With `fields=ids`, only ids.',
    }),
    next_cursor: Nullable(
      Type.String({ description: '`cursor` of the next, older page; null on the last one.' }),
    ),
    after: Type.String({ description: '`after` of a later request, for what came since this page.' }),
    has_more: Type.Boolean(),
    complete: Type.Boolean({ description: 'Whether the page lacks nothing up to `as_of`.' }),
    as_of: Time('The time up to which the page claims to be complete.'),
    gap: Type.Optional(
      Type.Boolean({
        description:
          'Only when true: `after` could not tell what came since, so this is the newest page, and there may be ' +
          'posts between it and the earlier one.',
      }),
    ),
    failed_sources: Type.Array(Type.String()),
  },
  { ...closed, title: 'FeedPage' },
)

export const LookupSchema = Type.Object(
  {
    posts: Posts,
    missing: Type.Optional(Type.Array(Id('A post that does not exist, or that the caller may not see.'))),
  },
  { ...closed, title: 'Lookup' },
)

export const ReceiptSchema = Type.Object(
  {
    tier: Type.Enum(['push', 'pull']),
    planned: count,
    done: count,
    skipped_inactive: count,
    lanes: Type.Object({ close: count, active: count, rest: count }, closed),
    accepted_at: Time('When the post was accepted.'),
    done_at: Nullable(Time('When the fan-out was complete; null while it is under way.')),
    lag_ms: Type.Integer({ description: 'From `accepted_at` to `done_at`, or until now.', minimum: 0 }),
  },
  { ...closed, title: 'Receipt', description: 'How far the fan-out of a post has come. Counts only.' },
)

export const LikeSchema = Type.Object(
  { post_id: Id('The post; of a repost, the original.'), liked: Type.Boolean(), counts },
  { ...closed, title: 'Like', description: 'Whether the caller likes the post, and its counts.' },
)

export const DeletedSchema = Type.Object(
  { id: Id('The post.'), deleted: Type.Literal(true) },
  { ...closed, title: 'Deleted' },
)

export const postId = { id: Id('The post.') }

/** Which fields a post needs, and which exclude each other. The documents say it; `commands.ts` checks it. */
const together = {
  anyOf: [{ required: ['content'] }, { required: ['custom'] }, { required: ['repost_of'] }],
  dependentSchemas: { repost_of: { properties: { content: false, custom: false, reply_to: false } } },
}

export const NewPostBody = Type.Object(
  {
    content: Type.Optional(
      Type.String({
        description:
          `At most ${LIMITS.contentGraphemesMax} characters, as people count them, and ` +
          `${LIMITS.contentBytesMax} bytes of UTF-8, with a visible character.`,
        pattern: SEEN_TEXT_PATTERN,
        maxLength: LIMITS.contentBytesMax,
        [READ_BY_HAND]: true,
      }),
    ),
    custom: Type.Optional(
      Type.Unknown({
        not: { type: 'null' },
        description: `Any JSON value but null, at most ${LIMITS.customBytesMax} bytes and ${LIMITS.customDepthMax} levels deep. It comes back unchanged.`,
      }),
    ),
    visibility: Type.Optional(visibility),
    reply_to: Type.Optional(Id('The post to reply to.')),
    repost_of: Type.Optional(Id('The post to repost. Excludes `content`, `custom` and `reply_to`.')),
    client_ref: Type.Optional(
      Type.String({
        description: `The caller's own reference, at most ${LIMITS.clientRefCodePointsMax} Unicode code points.`,
        pattern: TEXT_PATTERN,
        maxLength: LIMITS.clientRefCodePointsMax,
      }),
    ),
  },
  { ...closed, ...together, examples: [{ content: 'Hello, world' }] },
)

export const BatchPost = Type.Object(
  { author: AccountRef('Who posts'), ...NewPostBody.properties, ...batchFields },
  { ...closed, ...together },
)
export const BatchPostsBody = batchBody(BatchPost, { author: 'ext:nova', content: 'Hello, world' })
export const BatchPostsSchema = batchAnswer('BatchPosts', PostSchema.properties)

export const LookupBody = Type.Object(
  { ids: Type.Array(Id('A post.'), { minItems: 1, maxItems: LIMITS.lookupIdsMax }) },
  { ...closed, examples: [{ ids: [EXAMPLE_ID] }] },
)

export const FeedQuery = Type.Object(
  {
    cursor: Cursor('`next_cursor` of the page before, for older posts.'),
    after: Cursor('`after` of an earlier page, for what came since. Excludes `cursor`.'),
    limit: Limit,
    fields: Type.Optional(Type.Enum(['ids'], { description: '`ids`: only the ids of posts.' })),
  },
  closed,
)
const order = Type.Optional(Type.Enum([...ORDERS], { description: 'Of the replies; `latest` by default.' }))
export const RepliesQuery = Type.Object(
  {
    order,
    cursor: Cursor('`next_cursor` of the page before, or of the thread, with the same `order`.'),
    limit: Limit,
  },
  closed,
)
export const ThreadQuery = Type.Object({ order, limit: Limit }, closed)
export const ListQuery = Type.Object(
  { cursor: Cursor('`next_cursor` of the page before.'), limit: Limit },
  closed,
)
