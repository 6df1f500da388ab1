/** The rows of posts. */

import { bool, list, optional, struct, text, u32, u53, u8, type Struct } from '../core/codec.ts'
import { idKey, idKeyDesc, u32Key } from '../core/keys.ts'
import { defineTable } from '../engine/rows/tables.ts'

export const VISIBILITIES = ['public', 'followers', 'self'] as const
export type Visibility = (typeof VISIBILITIES)[number]
export const VISIBILITY = { public: 0, followers: 1, self: 2 } as const

/** A post as its author wrote it: in the event, and in its row. */
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

/** A deleted post keeps its row: deleted stays deleted. */
export const postsTable = defineTable({
  name: 'posts',
  partition: (id: number) => idKey(id),
  value: struct({ id: u53, ...postFields, deleted: bool }),
})

/**
 * Public replies and reposts of a post, and how many; one partition, so that the count moves with the row. Others are
 * not counted: everybody sees the counts, and would learn of them.
 */
export const engagementsTable = defineTable({
  name: 'engagements',
  partition: (target: number, _kind: number, _source: number) => idKey(target),
  sort: (_target: number, kind: number, source: number) => `${kind}${idKey(source)}`,
  value: struct({ on: bool }),
})
export const postCountsTable = defineTable({
  name: 'post_counts',
  partition: (target: number) => idKey(target),
  value: struct({ replies: u32, reposts: u32 }),
})

/** An author's own posts, newest first: the pull source. `on` is false once a post is deleted. */
export const outboxTable = defineTable({
  name: 'outbox',
  partition: (author: number, _post: number) => u32Key(author),
  sort: (_author: number, post: number) => idKeyDesc(post),
  value: struct({ on: bool, kind: u32 }),
})
export const postTotalsTable = defineTable({
  name: 'post_totals',
  partition: (author: number) => u32Key(author),
  /** All that stand; of these, those that not everybody may see. */
  value: struct({ posts: u32, hidden: u32 }),
})

/** Lanes of a large fan-out, in the order in which they run. */
export const LANES = ['close', 'active', 'rest'] as const

/** How far a post has travelled. Chunks are named once, by `plans`; here stand only counts and a set of them. */
export const receiptsTable = defineTable({
  name: 'receipts',
  partition: (post: number) => idKey(post),
  value: struct({
    post: u53,
    author: u32,
    tier: u8,
    share: u8,
    planned: u32,
    done: u32,
    skippedInactive: u32,
    lanes: list(u32),
    /** 0 while the fan-out is under way. */
    doneAtMs: u53,
    /** One bit per (lane, chunk), and the fingerprint of the plan whose chunks they are. */
    doneChunks: list(u32),
    fingerprint: u32,
  }),
})

/** The chunks of a large fan-out: fixed key ranges of follower numbers, so that "done" is a set. */
export const plansTable = defineTable({
  name: 'plans',
  partition: (post: number) => idKey(post),
  value: struct({
    post: u53,
    author: u32,
    kind: u32,
    share: u8,
    chunks: list(struct({ bucket: u32, from: u32, to: u53 })),
    version: u53,
    /** Frozen, so that nobody falls between two lanes: from which on a reader counts as active, and before which as inactive. */
    activeFromMinute: u32,
    inactiveBeforeMinute: u32,
  }),
})
/** Large fan-outs that are not finished: what a restart goes on with. */
export const openPlansTable = defineTable({
  name: 'open_plans',
  partition: (_post: number) => 'open',
  sort: (post: number) => idKey(post),
  value: struct({ post: u53, open: bool }),
})

/** What changed the past: a repost that was deleted, a post that came late. A page from before it has another one. */
export const revealsTable = defineTable({
  name: 'reveals',
  partition: (_id: number) => 'reveals',
  sort: (id: number) => idKeyDesc(id),
  value: struct({ id: u53, author: u32 }),
})

export const isHidden = ({ visibility }: { visibility: number }): boolean => visibility !== VISIBILITY.public

export type PostRow = ReturnType<typeof postsTable.decode>

/** Field by field: copying an object of so many fields with a spread takes several times as long. */
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

export type Receipt = ReturnType<typeof receiptsTable.decode>
export type Plan = ReturnType<typeof plansTable.decode>

/**
 * The 11 spare bits of a timeline entry: what a read must know before it has the post. Bit 0: a reply,
 * bit 1: a repost, bit 2: for its author only, bits 3–10: a hash of the reposted post.
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
