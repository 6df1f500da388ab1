/** Feed events → rows: posts, outboxes, totals, counts of replies and reposts. Those of likes are in `likes/project.ts`. */

import { idTimeMs } from '../core/ids.ts'
import { projection, type Effects } from '../engine/rows/projection.ts'
import { ENGAGEMENT, deleted, engaged, posted } from './events.ts'
import { REVEALS_TTL_MS } from './home/reveals.ts'
import { likeProjections } from './likes/project.ts'
import {
  engagementsTable,
  isHidden,
  kindOf,
  newPostRow,
  NO_COUNTS,
  outboxTable,
  postCountsTable,
  postsTable,
  postTotalsTable,
  revealsTable,
  type PostRow,
} from './tables.ts'

const onPosted = projection({
  on: posted,
  needs: ({ body }) => [postTotalsTable.key(body.author)],
  apply({ id, body, version }, rows, effects) {
    const { author } = body
    const post = newPostRow(id, body)
    rows.put(postsTable, postsTable.key(id), version, post)
    const totalKey = postTotalsTable.key(author)
    // Outbox entry and total are in one partition and written together, so a total of this version counts this post.
    if (rows.versionOf(totalKey) < version) {
      const { posts, hidden } = rows.get(postTotalsTable, totalKey) ?? { posts: 0, hidden: 0 }
      const total = { posts: posts + 1, hidden: hidden + (isHidden(post) ? 1 : 0) }
      rows.put(postTotalsTable, totalKey, version, total)
      rows.put(outboxTable, outboxTable.key(author, id), version, { on: true, kind: kindOf(post) })
    }
    tellTargets(post, true, effects)
  },
})

const onDeleted = projection({
  on: deleted,
  needs: ({ body: { post, author } }) => [
    postsTable.key(post),
    outboxTable.key(author, post),
    postTotalsTable.key(author),
  ],
  apply({ id, body, version }, rows, effects) {
    const key = postsTable.key(body.post)
    const post = rows.get(postsTable, key)
    if (post === undefined) return
    // The text is erased; the row stays and says that the post is deleted, so that no replay brings it back.
    rows.put(postsTable, key, version, { ...post, deleted: true, content: undefined, custom: undefined })
    const entry = outboxTable.key(body.author, body.post)
    const state = rows.get(outboxTable, entry)
    const totalKey = postTotalsTable.key(body.author)
    if (rows.versionOf(totalKey) < version) {
      const { posts, hidden } = rows.get(postTotalsTable, totalKey) ?? { posts: 0, hidden: 0 }
      const by = state?.on === true ? 1 : 0
      // Totals written by version 0.1.0 did not count hidden posts apart.
      const total = { posts: posts - by, hidden: Math.max(0, hidden - (isHidden(post) ? by : 0)) }
      rows.put(postTotalsTable, totalKey, version, total)
    }
    rows.put(outboxTable, entry, version, { on: false, kind: state?.kind ?? kindOf(post) })
    if (post.repostOf > 0) {
      const endsAtMs = idTimeMs(id) + REVEALS_TTL_MS
      rows.put(revealsTable, revealsTable.key(id), version, { id, author: body.author }, endsAtMs)
    }
    tellTargets(post, false, effects)
  },
})

function tellTargets(post: PostRow, on: boolean, effects: Effects): void {
  const hidden = isHidden(post)
  const tell = (target: number, author: number, kind: number) => {
    if (target > 0) effects.derive(engaged, author, { target, source: post.id, kind, on, hidden })
  }
  tell(post.replyTo, post.replyToAuthor, ENGAGEMENT.reply)
  // Hidden reposts are in no list. Version 0.1.0 counted them, so that deleting one must be told.
  if (!hidden || !on) tell(post.repostOf, post.repostOfAuthor, ENGAGEMENT.repost)
}

/** May come again after a crash, in any order: once `on` is false for a source, it stays so. */
const onEngaged = projection({
  on: engaged,
  needs: ({ body: { target, kind, source } }) => [
    engagementsTable.key(target, kind, source),
    postCountsTable.key(target),
  ],
  apply({ body: { target, kind, source, on, hidden }, version }, rows) {
    const countsKey = postCountsTable.key(target)
    const key = engagementsTable.key(target, kind, source)
    const before = rows.get(engagementsTable, key)
    const moves = on ? before === undefined : before?.on === true
    if (!moves) return
    const isUncounted = before?.hidden ?? hidden
    rows.put(engagementsTable, key, version, { on, hidden: isUncounted })
    if (isUncounted || rows.versionOf(countsKey) >= version) return
    const counts = rows.get(postCountsTable, countsKey) ?? NO_COUNTS
    const by = on ? 1 : -1
    rows.put(postCountsTable, countsKey, version, {
      ...counts,
      replies: counts.replies + (kind === ENGAGEMENT.reply ? by : 0),
      reposts: counts.reposts + (kind === ENGAGEMENT.repost ? by : 0),
    })
  },
})

export const feedProjections = [onPosted, onDeleted, onEngaged, ...likeProjections]
