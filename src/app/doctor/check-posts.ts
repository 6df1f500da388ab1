/** Checks posts against the outboxes of their authors, and counts posts, replies, reposts and likes again. */

import { parseIdKeyDesc, parseKey } from '../../core/keys.ts'
import {
  engagementsTable,
  isHidden,
  latestLikesTable,
  likersTable,
  likesTable,
  NO_COUNTS,
  outboxTable,
  postCountsTable,
  postsTable,
  postTotalsTable,
  type PostCounts,
} from '../../feed/index.ts'
import type { Store } from '../../ports/store/store.ts'
import { createFaults, type Faults, type Finding, type Patient } from './check.ts'
import { scanPages } from './pages.ts'

export async function checkPosts({ ports: { store } }: Patient): Promise<Finding> {
  const faults = createFaults()
  let posts = 0
  for await (const page of scanPages(store, postsTable)) {
    const known = page.map((row) => postsTable.decode(row))
    posts += known.length
    const entries = await store.get(known.map(({ author, id }) => outboxTable.key(author, id)))
    known.forEach(({ id, deleted }, i) => {
      const row = entries[i]
      if (row === undefined) return faults.add(`post ${id} is not in its author's outbox`)
      const text = () => `post ${id} is ${deleted ? '' : 'not '}deleted, its author's outbox says otherwise`
      faults.expect(outboxTable.decode(row).on !== deleted, text)
    })
  }
  await checkOutboxes(store, faults)
  await checkCounts(store, faults)
  return faults.finding('posts', `${posts} posts`)
}

async function checkOutboxes(store: Store, faults: Faults): Promise<void> {
  const counts = new Map<number, { posts: number; hidden: number }>()
  for await (const page of scanPages(store, outboxTable)) {
    const posts = await store.get(page.map((row) => postsTable.key(parseIdKeyDesc(row.sort))))
    page.forEach((row, i) => {
      const author = parseKey(row.partition)
      const stored = posts[i]
      const post = stored === undefined ? undefined : postsTable.decode(stored)
      if (outboxTable.decode(row).on) {
        const before = counts.get(author) ?? { posts: 0, hidden: 0 }
        const hidden = before.hidden + (post !== undefined && isHidden(post) ? 1 : 0)
        counts.set(author, { posts: before.posts + 1, hidden })
      }
      const isOwn = post?.author === author
      const text = () =>
        `the outbox of number ${author} has ${parseIdKeyDesc(row.sort)}, which is not a post of this author`
      faults.expect(isOwn, text)
    })
  }
  for await (const page of scanPages(store, postTotalsTable)) {
    for (const row of page) {
      const author = parseKey(row.partition)
      const { posts, hidden } = postTotalsTable.decode(row)
      const own = counts.get(author) ?? { posts: 0, hidden: 0 }
      counts.delete(author)
      // Totals that version 0.1.0 wrote do not count hidden posts.
      const isRight = posts === own.posts && hidden <= own.hidden
      faults.expect(
        isRight,
        () =>
          `number ${author} has ${own.posts} posts, ${own.hidden} of them hidden; its total says ${posts} and ${hidden}`,
      )
    }
  }
  for (const [author, own] of counts) faults.add(`number ${author} has ${own.posts} posts and no total`)
}

type Counted = Map<number, { -readonly [count in keyof PostCounts]: number }>

/** Counts replies, reposts and likes again. */
async function checkCounts(store: Store, faults: Faults): Promise<void> {
  const counted: Counted = new Map()
  await countEngagements(store, counted)
  await countLikes(store, counted, faults)
  for await (const page of scanPages(store, postCountsTable)) {
    for (const row of page) {
      const target = parseKey(row.partition)
      const { replies, reposts, likes } = postCountsTable.decode(row)
      const own = counted.get(target) ?? NO_COUNTS
      counted.delete(target)
      const text = () =>
        `post ${target} has ${own.replies} replies, ${own.reposts} reposts and ${own.likes} likes, its counts say ` +
        `${replies}, ${reposts} and ${likes}`
      faults.expect(replies === own.replies && reposts === own.reposts && likes === own.likes, text)
    }
  }
  for (const target of counted.keys())
    faults.add(`post ${target} has replies, reposts or likes and no counts`)
}

function countsOf(counted: Counted, target: number) {
  const counts = counted.get(target) ?? { ...NO_COUNTS }
  counted.set(target, counts)
  return counts
}

/** The first character of a sort key is the kind: 0 is a reply. */
async function countEngagements(store: Store, counted: Counted): Promise<void> {
  for await (const page of scanPages(store, engagementsTable)) {
    for (const row of page) {
      const { on, hidden } = engagementsTable.decode(row)
      if (hidden) continue
      const counts = countsOf(counted, parseKey(row.partition))
      if (on) counts[row.sort.startsWith('0') ? 'replies' : 'reposts']++
    }
  }
}

/** A like has a row with its liker, one with its post, and, while it stands, one in the post's list. */
async function countLikes(store: Store, counted: Counted, faults: Faults): Promise<void> {
  for await (const page of scanPages(store, likersTable)) {
    const likers = page.map((row) => {
      const [post, by] = [parseKey(row.partition), parseKey(row.sort.slice(likersTable.prefix.length))]
      return { post, by, ...likersTable.decode(row) }
    })
    const own = await store.get(likers.map(({ post, by }) => likesTable.key(by, post)))
    const listed = await store.get(likers.map(({ post, id }) => latestLikesTable.key(post, id)))
    likers.forEach(({ post, by, on }, i) => {
      const counts = countsOf(counted, post)
      if (on) counts.likes++
      const [mine, entry] = [own[i], listed[i]]
      const isLiked = mine !== undefined && likesTable.decode(mine).on
      const isListed = entry !== undefined && latestLikesTable.decode(entry).on
      const text = () =>
        `whether number ${by} likes post ${post}, its row and those of the post say differently`
      faults.expect(isLiked === on && isListed === on, text)
    })
  }
  for await (const page of scanPages(store, likesTable)) {
    const likes = page.map((row) => ({ by: parseKey(row.partition), post: parseKey(row.sort) }))
    const rows = await store.get(likes.map(({ by, post }) => likersTable.key(post, by)))
    likes.forEach(({ by, post }, i) => {
      const text = () => `number ${by} liked post ${post}, which has no row of it`
      faults.expect(rows[i] !== undefined, text)
    })
  }
}
