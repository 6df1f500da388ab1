/** Bookmarks: posts that one keeps for later. A domain of one's own, beside the graph and the feed. */

import Type from 'typebox'
import * as kit from '../../src/domain.ts'
import * as rows from './rows.ts'

const { Id, Limit, Nullable, Time, idTimeMs, isoTime, ok, pagesOf } = kit
const { bookmarksTable, countsTable, orderTable, marked } = rows
const [YEAR_MS, PAGE] = [366 * 86_400_000, 20]

type Bookmarks = ReturnType<typeof createBookmarks>['api']

function createBookmarks({ context: { store, env, produce }, use }: kit.DomainHost) {
  const [graph, feed] = [use(kit.graphDomain), use(kit.feedDomain)]

  async function states(by: number, posts: readonly number[]) {
    const keys = posts.flatMap((post) => [bookmarksTable.key(by, post), countsTable.key(post)])
    const found = await store.get(keys)
    return posts.map((post, i) => {
      const [row, counts] = [found[2 * i], found[2 * i + 1]]
      const state = row === undefined ? undefined : bookmarksTable.decode(row)
      const count = counts === undefined ? 0 : countsTable.decode(counts).count
      if (state?.on !== true)
        return { post_id: String(post), kept_at: null, remind_at: null, reminded: false, count }
      const { id, remindAtMs, reminded } = state
      const remind_at = remindAtMs > 0 ? isoTime(remindAtMs) : null
      return { post_id: String(post), kept_at: isoTime(idTimeMs(id)), remind_at, reminded, count }
    })
  }

  /** `on`: keeps the post, which one must see; else lets it go. */
  async function mark(by: number, post: number, on: boolean, remindAt?: string, once?: kit.Idempotency) {
    const remindAtMs = remindAt === undefined ? 0 : (kit.parseRfc3339(remindAt) ?? -1)
    const aheadMs = remindAtMs - env.wallMs()
    if (remindAtMs !== 0 && !(on && aheadMs > 0 && aheadMs < YEAR_MS)) {
      throw kit.invalid('query.remind_at', 'must be a time in RFC 3339, in the future and within a year')
    }
    const found = await feed.posts.get(post)
    const isSeen = found !== undefined && (!on || kit.mayView(await graph.circles.of(by), found))
    if (!isSeen) throw kit.notFound()
    await produce(marked, by, { by, post, author: found.author, on, remindAtMs }, once)
  }

  /** What one may still see of what one keeps, kept last first. `from`: `next` of the page before. */
  async function page(by: number, from: string, limit: number) {
    const viewer = await graph.circles.of(by)
    const { partition } = orderTable.key(by, 0)
    const page: number[] = []
    for await (const found of pagesOf(store, orderTable, partition, from, PAGE)) {
      const posts = await feed.posts.load(found.map(({ value }) => value.post))
      for (const { at, value } of found) {
        const post = posts.get(value.post)
        if (!value.on || post === undefined || !kit.mayView(viewer, post)) continue
        if (page.length === limit) return { items: await states(by, page), next: at }
        page.push(post.id)
      }
    }
    return { items: await states(by, page), next: null }
  }
  return { api: { states, mark, page }, projections: rows.projections }
}

const Bookmark = Type.Object({
  ...{ post_id: Id('The post.'), kept_at: Nullable(Time('When it was kept.')) },
  ...{ remind_at: Nullable(Time('When to be reminded.')), reminded: Type.Boolean(), count: Type.Integer() },
})
const strict = { additionalProperties: false }
const Reminder = Type.Object({ remind_at: Type.Optional(Time('When to be reminded.')) }, strict)
const Cursor = Type.Optional(Type.String({ pattern: '^[0-9a-z]{11}$' }))

function routes({ states, mark, page }: Bookmarks, { router }: kit.RouteHost): void {
  type Asked = Pick<kit.Call<unknown, unknown>, 'caller' | 'params'>
  const by = ({ caller }: Pick<Asked, 'caller'>): number => caller.account?.number ?? 0
  const post = ({ params }: Asked): number => kit.idAt(params.id, 'params.id')
  const answer = async (call: Asked) => ok((await states(by(call), [post(call)]))[0])

  const own = { tag: 'bookmarks', access: 'account', problems: ['invalid_id', 'not_found'] } as const
  for (const on of [true, false]) {
    router.write({
      ...{ ...own, path: '/posts/:id/bookmark', params: { id: Id('The post.') }, query: Reminder },
      method: on ? 'PUT' : 'DELETE',
      name: on ? 'keepPost' : 'letPostGo',
      summary: on ? 'Keep a post' : 'Keep a post no longer',
      answers: { 200: Bookmark },
      async run(call, once) {
        await mark(by(call), post(call), on, call.query.remind_at, once)
        return answer(call)
      },
      replay: answer,
    })
  }
  router.read({
    ...{ ...own, method: 'GET', path: '/bookmarks' },
    ...{ name: 'getBookmarks', summary: 'What one keeps' },
    query: Type.Object({ cursor: Cursor, limit: Limit }, strict),
    answers: { 200: Type.Object({ bookmarks: Type.Array(Bookmark), next_cursor: Nullable(Type.String()) }) },
    async answer(call) {
      const { items, next } = await page(by(call), call.query.cursor ?? '', call.query.limit ?? PAGE)
      return ok({ bookmarks: items, next_cursor: next })
    },
  })
}

export const bookmarksDomain: kit.WebDomain<Bookmarks> = {
  ...{ name: 'bookmarks', tags: [40, 42], tables: kit.tablesIn(rows), create: createBookmarks, routes },
  events: [rows.marked, rows.reminded, rows.counted],
}
