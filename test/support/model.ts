/** What really happened in a history, in the simplest form: the oracle computes from it what pages must hold. */

import { oracleFeed, type OraclePost } from '../../src/feed/oracle.ts'

/** Whether a post is in the counts that everybody may see. */
const isCounted = ({ visibility, deleted }: OraclePost) => visibility === 'public' && !deleted

export class Model {
  readonly posts = new Map<number, OraclePost & { deleted: boolean }>()
  /** Number of changes so far, without new posts. */
  changes = 0
  private readonly following = new Set<string>()
  private readonly blocks = new Set<string>()
  private readonly mutes = new Set<string>()
  private readonly likes = new Set<string>()

  follows = (reader: number, author: number): boolean => this.following.has(`${reader}>${author}`)
  blocked = (one: number, other: number): boolean =>
    this.blocks.has(`${one}>${other}`) || this.blocks.has(`${other}>${one}`)
  muted = (reader: number, author: number): boolean => this.mutes.has(`${reader}>${author}`)

  follow(follower: number, followee: number): void {
    this.changes++
    this.following.add(`${follower}>${followee}`)
  }
  unfollow(follower: number, followee: number): void {
    this.changes++
    this.following.delete(`${follower}>${followee}`)
  }
  block(by: number, of: number): void {
    this.changes++
    this.blocks.add(`${by}>${of}`)
    this.unfollow(by, of)
    this.unfollow(of, by)
  }
  unblock(by: number, of: number): void {
    this.changes++
    this.blocks.delete(`${by}>${of}`)
  }
  mute(by: number, of: number, on: boolean): void {
    this.changes++
    if (on) this.mutes.add(`${by}>${of}`)
    else this.mutes.delete(`${by}>${of}`)
  }
  post(post: OraclePost): void {
    this.posts.set(post.id, post)
  }
  delete(id: number): void {
    this.changes++
    const post = this.posts.get(id)
    if (post !== undefined) this.posts.set(id, { ...post, deleted: true })
  }

  like(by: number, post: number, on: boolean): void {
    this.changes++
    if (on) this.likes.add(`${by}>${this.likedAs(post)}`)
    else this.likes.delete(`${by}>${this.likedAs(post)}`)
  }
  /** A repost is liked as what it repeats. */
  private readonly likedAs = (post: number): number => this.posts.get(post)?.repostOf ?? post

  likesPost = (by: number, post: number): boolean => this.likes.has(`${by}>${post}`)
  likesCount = (post: number): number => [...this.likes].filter((like) => like.endsWith(`>${post}`)).length
  followersCount = (followee: number): number =>
    [...this.following].filter((edge) => edge.endsWith(`>${followee}`)).length
  followingCount = (follower: number): number =>
    [...this.following].filter((edge) => edge.startsWith(`${follower}>`)).length
  postsCount = (author: number): number =>
    [...this.posts.values()].filter((post) => post.author === author && isCounted(post)).length
  repliesCount = (id: number): number =>
    [...this.posts.values()].filter((post) => post.replyTo === id && isCounted(post)).length
  repostsCount = (id: number): number =>
    [...this.posts.values()].filter((post) => post.repostOf === id && isCounted(post)).length

  /** Of replies, also those that only some may see. */
  answers = (id: number, what: 'replyTo' | 'repostOf'): number[] =>
    [...this.posts.values()]
      .filter((post) => post[what] === id && !post.deleted && (what === 'replyTo' || isCounted(post)))
      .map((post) => post.id)
      .sort((a, b) => a - b)

  /** With `isKnown`, leaves out the other posts: what a reader may see while fan-out is under way. */
  feed = (reader: number, isKnown: (id: number) => boolean = () => true): number[] =>
    oracleFeed({ ...this, isKnown }, reader)
}
