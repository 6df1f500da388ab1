/** Checks posts against the outboxes of their authors, and counts posts, replies and reposts again. */

import { parseIdKeyDesc, parseKey } from '../../core/keys.ts'
import {
  engagementsTable,
  isHidden,
  outboxTable,
  postCountsTable,
  postsTable,
  postTotalsTable,
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

/** Counts replies and reposts again. The first character of a sort key is the kind: 0 is a reply. */
async function checkCounts(store: Store, faults: Faults): Promise<void> {
  const counted = new Map<number, [number, number]>()
  for await (const page of scanPages(store, engagementsTable)) {
    for (const row of page) {
      const target = parseKey(row.partition)
      const counts = counted.get(target) ?? [0, 0]
      if (engagementsTable.decode(row).on) counts[row.sort.startsWith('0') ? 0 : 1]++
      counted.set(target, counts)
    }
  }
  for await (const page of scanPages(store, postCountsTable)) {
    for (const row of page) {
      const target = parseKey(row.partition)
      const { replies, reposts } = postCountsTable.decode(row)
      const [ownReplies, ownReposts] = counted.get(target) ?? [0, 0]
      counted.delete(target)
      const text = () =>
        `post ${target} has ${ownReplies} replies and ${ownReposts} reposts, its counts say ${replies} and ${reposts}`
      faults.expect(replies === ownReplies && reposts === ownReposts, text)
    }
  }
  for (const target of counted.keys()) faults.add(`post ${target} has replies or reposts and no counts`)
}
