/** Imports posts: writes the rows that projecting them would write, under their own times. They are not pushed. */

import { isHidden, kindOf, outboxTable, postsTable, postTotalsTable, type PostRow } from '../../feed/index.ts'
import type { RowWrite } from '../../ports/store/store.ts'
import type { AccountBook } from './account-book.ts'
import { createPostIds } from './post-ids.ts'
import type { PostInput } from './post-input.ts'
import type { PostReading } from './post-rows.ts'
import type { Problems } from './problems.ts'
import type { ImportRun } from './run.ts'

export interface PostSource {
  /** Called twice: once to check all posts before anything is written, once to write them. */
  read(reading: PostReading): AsyncIterable<readonly PostInput[]>
}

export interface PostCounts {
  added: number
  known: number
  /** Left out, because another post of the author has the same id. */
  conflicting: number
}

const BATCH_POSTS = 2_048

export async function importPosts(
  source: PostSource,
  reading: PostReading,
  run: ImportRun,
  book: AccountBook,
  problems: Problems,
): Promise<PostCounts> {
  const ids = createPostIds(run.store)
  const counts = { added: 0, known: 0, conflicting: 0 }
  for await (const batch of source.read(reading)) {
    for (let from = 0; from < batch.length; from += BATCH_POSTS) {
      const posts = batch.slice(from, from + BATCH_POSTS)
      const authors = await authorsOf(posts, book)
      const postIds = await ids.of(posts)
      const rows = postIds.map((id, i) => rowOf(id, authors[i], posts[i]))
      const { added, conflicting } = await writePosts(run, rows)
      for (const i of conflicting)
        problems.add(posts[i].place, 'another post of this author has this id', posts[i].ref)
      counts.added += added
      counts.conflicting += conflicting.length
      counts.known += posts.length - added - conflicting.length
    }
  }
  return counts
}

async function authorsOf(posts: readonly PostInput[], { names, settle, numbers }: AccountBook) {
  const indexes = posts.map(({ author }) => names.find(author) ?? names.add(author))
  await settle()
  const all = numbers()
  return indexes.map((index) => all[index])
}

const rowOf = (id: number, author: number, post: PostInput): PostRow => ({
  id,
  author,
  visibility: post.visibility,
  content: post.content,
  custom: post.custom,
  replyTo: 0,
  replyToAuthor: 0,
  repostOf: 0,
  repostOfAuthor: 0,
  clientRef: post.ref,
  deleted: false,
})

/** Whether two posts with the same id have the same content. A deleted one has none, and counts as the same. */
const saysTheSame = (known: PostRow, post: PostRow): boolean =>
  known.deleted ||
  (known.content === post.content && known.custom === post.custom && known.visibility === post.visibility)

interface Written {
  readonly added: number
  /** Indexes of posts whose content differs from the post that has their id. */
  readonly conflicting: readonly number[]
}

/** Rows that exist stay: an earlier run wrote them, and the post may have been deleted since. */
async function writePosts({ store, version }: ImportRun, posts: readonly PostRow[]): Promise<Written> {
  const keys = posts.flatMap(({ id, author }) => [postsTable.key(id), outboxTable.key(author, id)])
  const found = await store.get(keys)
  const rows: RowWrite[] = []
  const addedBy = new Map<number, { posts: number; hidden: number }>()
  const seen = new Map<number, PostRow>()
  const conflicting: number[] = []
  posts.forEach((post, i) => {
    const stored = found[2 * i]
    const known = seen.get(post.id) ?? (stored === undefined ? undefined : postsTable.decode(stored))
    if (known !== undefined && !saysTheSame(known, post)) return void conflicting.push(i)
    if (seen.has(post.id)) return
    seen.set(post.id, post)
    const { id, author } = post
    if (found[2 * i] === undefined) rows.push(postsTable.row(keys[2 * i], version, post))
    if (found[2 * i + 1] !== undefined) return
    rows.push(outboxTable.row(outboxTable.key(author, id), version, { on: true, kind: kindOf(post) }))
    const { posts: before, hidden } = addedBy.get(author) ?? { posts: 0, hidden: 0 }
    addedBy.set(author, { posts: before + 1, hidden: hidden + (isHidden(post) ? 1 : 0) })
  })
  if (rows.length === 0) return { added: 0, conflicting }
  const authors = [...addedBy.keys()]
  const totals = await store.get(authors.map((author) => postTotalsTable.key(author)))
  let added = 0
  authors.forEach((author, i) => {
    const row = totals[i]
    const before = row === undefined ? { posts: 0, hidden: 0 } : postTotalsTable.decode(row)
    const by = addedBy.get(author) ?? { posts: 0, hidden: 0 }
    const total = { posts: before.posts + by.posts, hidden: before.hidden + by.hidden }
    rows.push(postTotalsTable.row(postTotalsTable.key(author), version, total))
    added += by.posts
  })
  await store.write(rows)
  return { added, conflicting }
}
