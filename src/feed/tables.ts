/** The rows of the feed: posts, outboxes, counts, and those of its fan-out; and the kind of an entry. */

import { bool, optional, struct, text, u32, u53, u8, type Struct } from '../core/codec.ts'
import { idKey, idKeyDesc, u32Key } from '../core/keys.ts'
import { defineFanoutTables, NUMBER_KEYS } from '../engine/fanout/tables.ts'
import { defineTable } from '../engine/rows/tables.ts'

export const VISIBILITIES = ['public', 'followers', 'self'] as const
export type Visibility = (typeof VISIBILITIES)[number]
export const VISIBILITY = { public: 0, followers: 1, self: 2 } as const

/** A post as its author wrote it; the same in its event and in its row. */
export const postFields = {
  author: u32,
  visibility: u8,
  content: optional(text),
  /** JSON text. */
  custom: optional(text),
  replyTo: u53,
  replyToAuthor: u32,
  repostOf: u53,
  repostOfAuthor: u32,
  clientRef: optional(text),
}

/** A deleted post keeps its row, without its text, so that no replay brings it back. */
export const postsTable = defineTable({
  name: 'posts',
  partition: (id: number) => idKey(id),
  value: struct({ id: u53, ...postFields, deleted: bool }),
})

/**
 * The replies and public reposts of a post, and how many there are: in one partition, so that row and count are written
 * together. Replies that are not public (`hidden`) are not counted, because everybody sees the counts and would learn of
 * them. Version 0.1.0 counted them and has no `hidden`, so their rows count as they were written.
 */
export const engagementsTable = defineTable({
  name: 'engagements',
  partition: (target: number, _kind: number, _source: number) => idKey(target),
  sort: (_target: number, kind: number, source: number) => `${kind}${idKey(source)}`,
  value: struct({ on: bool, hidden: bool }),
})
export const postCountsTable = defineTable({
  name: 'post_counts',
  partition: (target: number) => idKey(target),
  value: struct({ replies: u32, reposts: u32, likes: u32 }),
})
export type PostCounts = ReturnType<typeof postCountsTable.decode>
export const NO_COUNTS: PostCounts = { replies: 0, reposts: 0, likes: 0 }

/** By liker, the posts that it likes or liked: what `viewer.liked` is read from. */
export const likesTable = defineTable({
  name: 'likes',
  partition: (by: number, _post: number) => u32Key(by),
  sort: (_by: number, post: number) => idKey(post),
  value: struct({ on: bool }),
})

/**
 * By post, who likes it or liked it (`a`), and the likes that stand, latest first (`o`). They share a partition with the
 * post's counts, so that all three are written together. `cause` is the version of the `liked` event that decided.
 */
export const likersTable = defineTable({
  name: 'likers',
  prefix: 'a',
  partition: (post: number, _by: number) => idKey(post),
  sort: (_post: number, by: number) => u32Key(by),
  value: struct({ id: u53, cause: u53, on: bool }),
})
export const latestLikesTable = defineTable({
  name: 'likers',
  prefix: 'o',
  partition: (post: number, _id: number) => idKey(post),
  sort: (_post: number, id: number) => idKeyDesc(id),
  value: struct({ by: u32, on: bool }),
})

/** An author's own posts, newest first: what pulls read. `on` is false once a post is deleted. */
export const outboxTable = defineTable({
  name: 'outbox',
  partition: (author: number, _post: number) => u32Key(author),
  sort: (_author: number, post: number) => idKeyDesc(post),
  value: struct({ on: bool, kind: u32 }),
})
export const postTotalsTable = defineTable({
  name: 'post_totals',
  partition: (author: number) => u32Key(author),
  /** Posts that are not deleted; of these, those that not everybody may see. */
  value: struct({ posts: u32, hidden: u32 }),
})

/** Lanes of a large fan-out, in the order in which they run. Receipts count by them. */
export const LANES = ['close', 'active', 'rest'] as const
export const CLOSE_LANE = LANES.indexOf('close')
export const ACTIVE_LANE = LANES.indexOf('active')
export const REST_LANE = LANES.indexOf('rest')

/**
 * A reader last seen in `activeFromMinute` or later is active, one last seen before `inactiveBeforeMinute` is inactive.
 * Both are fixed when the plan is made, so that nobody falls between two lanes while it runs.
 */
const minutes = struct({ activeFromMinute: u32, inactiveBeforeMinute: u32 })
export const fanoutTables = defineFanoutTables('', NUMBER_KEYS, minutes)
export const { receipts: receiptsTable, plans: plansTable, openPlans: openPlansTable } = fanoutTables
export type Minutes = Struct<{ activeFromMinute: typeof u32; inactiveBeforeMinute: typeof u32 }>

/** Changes below a horizon that pages already claimed: deleted reposts and late posts (see `home/reveals.ts`). */
export const revealsTable = defineTable({
  name: 'reveals',
  partition: (_id: number) => 'reveals',
  sort: (id: number) => idKeyDesc(id),
  value: struct({ id: u53, author: u32 }),
})

export const isHidden = ({ visibility }: { visibility: number }): boolean => visibility !== VISIBILITY.public

export type PostRow = ReturnType<typeof postsTable.decode>

/** Field by field, because a spread of so many fields takes several times as long. */
export const newPostRow = (id: number, body: Struct<typeof postFields>): PostRow => ({
  id,
  author: body.author,
  visibility: body.visibility,
  content: body.content,
  custom: body.custom,
  replyTo: body.replyTo,
  replyToAuthor: body.replyToAuthor,
  repostOf: body.repostOf,
  repostOfAuthor: body.repostOfAuthor,
  clientRef: body.clientRef,
  deleted: false,
})

/**
 * The kind of a timeline entry, 11 bits: what a read must know of a post before it has loaded it. Bit 0: a reply;
 * bit 1: a repost; bit 2: visible to its author only; bits 3–10: a hash of the original of a repost.
 */
export const KIND = { reply: 1, repost: 2, self: 4 } as const

export function kindOf(post: { replyTo: number; repostOf: number; visibility: number }): number {
  return (
    (post.replyTo > 0 ? KIND.reply : 0) |
    (post.visibility === VISIBILITY.self ? KIND.self : 0) |
    (post.repostOf > 0 ? KIND.repost | (repostHash(post.repostOf) << 3) : 0)
  )
}

export const repostHash = (original: number): number =>
  Math.imul((original ^ Math.floor(original / 2 ** 32)) | 0, 0x9e3779b1) >>> 24
