/** What happens to bookmarks, and the rows that it becomes. */

import * as kit from '../../src/domain.ts'

const { bool, struct, u32, u53, defineEvent, defineTable, projection, idKey, idKeyDesc, u32Key } = kit

const mark = struct({ by: u32, post: u53, author: u32, on: bool, remindAtMs: u53 })
/** Key: who keeps the post, or lets it go. `remindAtMs`: 0 for no reminder. */
export const marked = defineEvent(40, 'marked', mark)
/** Key: who keeps the post. Appended by a timer. */
export const reminded = defineEvent(41, 'reminded', struct({ by: u32, post: u53 }))
/** Key: the post's author, so that a count has one writer. `cause`: the version of `marked`. Others may react. */
export const counted = defineEvent(
  42,
  'bookmark_counted',
  struct({ post: u53, by: u32, cause: u53, on: bool }),
)

const ofFirst = (first: number, _second: number): string => u32Key(first)
const bySecond = (_first: number, second: number): string => idKey(second)
const lastFirst = (_first: number, second: number): string => idKeyDesc(second)

/** (keeper, post): one row a post. `id`: the event that kept it. */
export const bookmarksTable = defineTable({
  name: 'bookmarks',
  prefix: 'p',
  partition: ofFirst,
  sort: bySecond,
  value: struct({ on: bool, id: u53, remindAtMs: u53, reminded: bool }),
})
/** (keeper, id): the same posts, those kept last first. */
export const orderTable = defineTable({
  name: 'bookmarks',
  prefix: 'o',
  partition: ofFirst,
  sort: lastFirst,
  value: struct({ post: u53, on: bool }),
})
/** How many keep a post, and (post, keeper) who does: in one partition, so that both change at once. */
export const countsTable = defineTable({
  name: 'bookmark_counts',
  partition: idKey,
  value: struct({ count: u32 }),
})
export const keepersTable = defineTable({
  name: 'bookmark_keepers',
  partition: (post: number, _by: number) => idKey(post),
  sort: bySecond,
  value: struct({ on: bool, cause: u53 }),
})

const onMarked = projection({
  on: marked,
  needs: ({ body: { by, post } }) => [bookmarksTable.key(by, post)],
  apply({ id, body: { by, post, author, on, remindAtMs }, version }, rows, effects) {
    const key = bookmarksTable.key(by, post)
    const before = rows.get(bookmarksTable, key)
    // Keeping a post again moves its reminder and leaves its place.
    const since = before?.on === true ? before.id : id
    rows.put(bookmarksTable, key, version, { on, id: since, remindAtMs, reminded: false })
    rows.put(orderTable, orderTable.key(by, since), version, { post, on })
    const dueMs = remindAtMs && Math.max(remindAtMs, kit.idTimeMs(id))
    effects.schedule(`remind:${post}`, dueMs, reminded, { by, post })
    effects.derive(counted, author, { post, by, cause: version, on })
  },
})

const onReminded = projection({
  on: reminded,
  needs: ({ body: { by, post } }) => [bookmarksTable.key(by, post)],
  apply({ body: { by, post }, version }, rows) {
    const key = bookmarksTable.key(by, post)
    const before = rows.get(bookmarksTable, key)
    if (before !== undefined) rows.put(bookmarksTable, key, version, { ...before, reminded: true })
  },
})

/** A derived event may come twice, and an old copy after newer ones: only a later cause changes the count. */
const onCounted = projection({
  on: counted,
  needs: ({ body: { post, by } }) => [keepersTable.key(post, by), countsTable.key(post)],
  apply({ body: { post, by, cause, on }, version }, rows) {
    const [keeperKey, countKey] = [keepersTable.key(post, by), countsTable.key(post)]
    const before = rows.get(keepersTable, keeperKey)
    if (before !== undefined && before.cause >= cause) return
    rows.put(keepersTable, keeperKey, version, { on, cause })
    const count = (rows.get(countsTable, countKey)?.count ?? 0) + Number(on) - Number(before?.on === true)
    rows.put(countsTable, countKey, version, { count })
  },
})

export const projections = [onMarked, onReminded, onCounted]
