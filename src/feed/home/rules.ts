/** The rules of the home feed: what a reader is entitled to see of the candidates that the sources give. */

import type { Filter } from '../../engine/read/pipeline.ts'
import { follows, isBlocked, isMuted } from '../../graph/index.ts'
import type { Item } from '../posts/items.ts'
import { VISIBILITY } from '../tables.ts'
import type { HomeQuery } from './query.ts'

type ByAuthor = Filter<HomeQuery, { readonly author: number }>
type ByPost = Filter<HomeQuery, Item>

/** By those whom the reader follows, and by the reader. */
const followed: ByAuthor = {
  name: 'followed',
  keep(query, { author }) {
    const alive = author === query.reader || follows(query.circle, author)
    if (!alive) query.stats.dead++
    return alive
  },
}

const blocked: ByAuthor = {
  name: 'blocked',
  keep: ({ circle }, { author }) => !isBlocked(circle, author),
}

const muted: ByAuthor = {
  name: 'muted',
  keep: ({ circle }, { author }) => !isMuted(circle, author),
}

/** Neither the post is deleted nor, if it is a repost, the original. */
export const deleted: ByPost = {
  name: 'deleted',
  keep(query, { post, original }) {
    // A repost whose original is deleted does not count as dead: a rebuild would not remove it from the timeline.
    if (post.deleted) query.stats.dead++
    return !post.deleted && (post.repostOf === 0 || original?.deleted === false)
  },
}

const visibility: ByPost = {
  name: 'visibility',
  keep: ({ reader }, { post, original }) =>
    (post.author === reader || post.visibility !== VISIBILITY.self) &&
    (original === undefined || original.visibility === VISIBILITY.public || original.author === reader),
}

const repostedAuthor: ByPost = {
  name: 'reposted_author',
  keep: ({ circle }, { original }) =>
    original === undefined || (!isBlocked(circle, original.author) && !isMuted(circle, original.author)),
}

/**
 * A reply is shown to its author, to the author of its target, and to readers who follow both. A reply to a post of
 * its own author is shown as any post is.
 */
const replyRule: ByPost = {
  name: 'reply_rule',
  keep: ({ reader, circle }, { post }) =>
    post.replyTo === 0 ||
    post.author === reader ||
    post.replyToAuthor === reader ||
    post.replyToAuthor === post.author ||
    follows(circle, post.replyToAuthor),
}

/** Need only the candidate. */
export const authorRules: readonly ByAuthor[] = [followed, blocked, muted]
/** Need the post. */
export const postRules: readonly ByPost[] = [deleted, visibility, repostedAuthor, replyRule]
