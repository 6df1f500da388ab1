/**
 * The rules of the home feed: what a reader is entitled to see of the candidates that the sources give. Their names are
 * labels of a metric and answers of `why`. Rules about what the reader has seen already are in `seen.ts`.
 */

import { KEPT, verdicts, type Filter } from '../../engine/read/stages.ts'
import { follows, isBlocked, isMuted } from '../../graph/index.ts'
import type { Item } from '../posts/items.ts'
import { VISIBILITY } from '../tables.ts'
import type { HomeQuery } from './query.ts'

const AUTHOR = verdicts('blocked', 'not_followed', 'muted')

/**
 * Needs only the candidate: it is by somebody whom the reader follows, or by the reader. A block ends follows, so it is
 * asked for first: else `not_followed` would be the answer for whoever is blocked.
 */
export const authorFilter: Filter<HomeQuery, { readonly author: number }> = {
  rules: Object.keys(AUTHOR),
  judge({ reader, circle }, { author }) {
    if (isBlocked(circle, author)) return AUTHOR.blocked
    if (author !== reader && !follows(circle, author)) return AUTHOR.not_followed
    return isMuted(circle, author) ? AUTHOR.muted : KEPT
  },
}

const GONE = verdicts('deleted', 'original_missing', 'original_deleted')

/** Neither the post is deleted nor, if it is a repost, the original. Deletes are seen in posts that are loaded already. */
export const goneFilter: Filter<HomeQuery, Item> = {
  rules: Object.keys(GONE),
  judge(_query, { post, original }) {
    if (post.deleted) return GONE.deleted
    if (post.repostOf === 0) return KEPT
    if (original === undefined) return GONE.original_missing
    return original.deleted ? GONE.original_deleted : KEPT
  },
}

const POST = verdicts(
  'not_visible',
  'original_not_public',
  'original_blocked',
  'original_muted',
  'reply_to_unfollowed',
)

/** Visibility, blocked and muted authors of what is reposted, and replies. */
export const postFilter: Filter<HomeQuery, Item> = {
  rules: Object.keys(POST),
  judge(query, { post, original }) {
    if (post.visibility === VISIBILITY.self && post.author !== query.reader) return POST.not_visible
    if (original !== undefined) {
      const { circle, reader } = query
      if (original.visibility !== VISIBILITY.public && original.author !== reader)
        return POST.original_not_public
      if (isBlocked(circle, original.author)) return POST.original_blocked
      if (isMuted(circle, original.author)) return POST.original_muted
    }
    return post.replyTo === 0 || isReplyShown(query, post) ? KEPT : POST.reply_to_unfollowed
  },
}

/**
 * A reply is shown to its author, to the author of its target, and to readers who follow both. A reply to a post of
 * its own author is shown as any post is.
 */
const isReplyShown = ({ reader, circle }: HomeQuery, { author, replyToAuthor }: Item['post']): boolean =>
  author === reader || replyToAuthor === reader || replyToAuthor === author || follows(circle, replyToAuthor)

/** Rules by which entries of a timeline are dead: a rebuild would leave these entries out. */
export const DEAD_RULES: readonly string[] = ['blocked', 'not_followed', 'deleted']
