/**
 * The oracle: the home feed computed naively, straight from its definition. What the engine serves must equal it; tests
 * and `rivulet doctor` compare the two.
 */

import { idTimeMs } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'

export interface OraclePost {
  readonly id: number
  readonly author: number
  readonly visibility: 'public' | 'followers' | 'self'
  /** Ids of the post that it replies to, and of the one that it reposts. */
  readonly replyTo?: number | undefined
  readonly repostOf?: number | undefined
  readonly deleted: boolean
}

export interface OracleWorld {
  readonly posts: ReadonlyMap<number, OraclePost>
  follows(reader: number, author: number): boolean
  /** In either direction. */
  blocked(one: number, other: number): boolean
  muted(reader: number, author: number): boolean
  /** Whether a post is to be counted yet, for comparisons while fan-out is under way. By default all are. */
  isKnown?(post: number): boolean
}

/** Ids of the reader's whole home feed, newest first. */
export function oracleFeed(world: OracleWorld, reader: number): number[] {
  const { posts } = world
  const hidden = (author: number) => world.blocked(reader, author) || world.muted(reader, author)
  const targetAuthor = (post: OraclePost) => posts.get(post.replyTo ?? 0)?.author

  function entitled(post: OraclePost): boolean {
    if (post.deleted || world.isKnown?.(post.id) === false) return false
    if (post.author !== reader) {
      if (!world.follows(reader, post.author) || hidden(post.author) || post.visibility === 'self')
        return false
    }
    return post.repostOf === undefined ? replyShown(post) : repostShown(post.repostOf)
  }

  function replyShown(post: OraclePost): boolean {
    const target = targetAuthor(post)
    if (target === undefined || post.author === reader) return true
    return target === reader || target === post.author || world.follows(reader, target)
  }

  function repostShown(of: number): boolean {
    const original = posts.get(of)
    return (
      original !== undefined && !original.deleted && (original.author === reader || !hidden(original.author))
    )
  }

  const mine = [...posts.values()].filter(entitled)
  const repeatedLater = (post: OraclePost) =>
    mine.some(
      (other) =>
        other.repostOf === post.repostOf &&
        other.id > post.id &&
        idTimeMs(other.id) - idTimeMs(post.id) <= LIMITS.repostWindowMs,
    )
  return mine
    .filter((post) => post.repostOf === undefined || !repeatedLater(post))
    .map((post) => post.id)
    .sort((a, b) => b - a)
}
