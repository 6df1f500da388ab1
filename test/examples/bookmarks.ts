/** The example's domain over HTTP, in memory or on engines: one body of tests for both. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bookmarksDomain } from '../../examples/domain-bookmarks/index.ts'
import { DOMAINS } from '../../src/app/domains.ts'
import { createWorld, SERVER_KEY, type Person, type World } from '../http/world.ts'

const WAIT_MS = 20

export function bookmarkTests(): void {
  describe('bookmarks', () => {
    let world: World
    let ann: Person
    let bob: Person
    const api = '/api/v1'
    beforeAll(async () => {
      world = await createWorld({ domains: [...DOMAINS, bookmarksDomain] })
      ann = await world.person('ann')
      bob = await world.person('bob')
    })
    afterAll(() => world.close())

    const post = async (author: Person, fields: object = {}): Promise<string> =>
      (await world.call('POST', `${api}/posts`, { as: author.token, body: { content: 'text', ...fields } }))
        .json.id
    const keep = (who: Person, id: string, query = '') =>
      world.call('PUT', `${api}/posts/${id}/bookmark${query}`, { as: who.token })
    const letGo = (who: Person, id: string) =>
      world.call('DELETE', `${api}/posts/${id}/bookmark`, { as: who.token })
    const page = (who: Person, query = '') => world.call('GET', `${api}/bookmarks${query}`, { as: who.token })
    const ids = (reply: Awaited<ReturnType<typeof page>>): string[] =>
      reply.json.bookmarks.map((one: { post_id: string }) => one.post_id)

    /** Counts reach a post by an event of its author's key: a moment later. */
    async function until<T>(look: () => Promise<T>, isSo: (found: T) => boolean): Promise<T> {
      for (;;) {
        const found = await look()
        if (isSo(found)) return found
        await new Promise((resolve) => setTimeout(resolve, WAIT_MS))
      }
    }

    test('what one keeps is listed, kept last first, page by page', async () => {
      const posts = []
      for (let i = 0; i < 5; i++) posts.push(await post(ann))
      for (const id of posts) expect((await keep(bob, id)).status).toBe(200)
      // Keeping again leaves it where it is.
      await keep(bob, posts[0])
      const first = await page(bob, '?limit=3')
      expect(ids(first)).toEqual([posts[4], posts[3], posts[2]])
      const second = await page(bob, `?limit=3&cursor=${first.json.next_cursor}`)
      expect(ids(second)).toEqual([posts[1], posts[0]])
      expect(second.json.next_cursor).toBeNull()
      for (const id of posts) await letGo(bob, id)
      expect(ids(await page(bob))).toEqual([])
    })

    test('one sees only what one may still see', async () => {
      const [open, closed, gone] = [await post(ann), await post(ann, { visibility: 'self' }), await post(ann)]
      expect((await keep(bob, closed)).status).toBe(404)
      await keep(bob, open)
      await keep(bob, gone)
      await world.call('DELETE', `${api}/posts/${gone}`, { as: ann.token })
      await until(
        () => page(bob),
        (reply) => ids(reply).length === 1,
      )
      await world.call('PUT', `${api}/accounts/${bob.id}/block`, { as: ann.token })
      await until(
        () => page(bob),
        (reply) => ids(reply).length === 0,
      )
      await world.call('DELETE', `${api}/accounts/${bob.id}/block`, { as: ann.token })
      await until(
        () => page(bob),
        (reply) => ids(reply).length === 1,
      )
      await letGo(bob, open)
    })

    test('a count is of those who keep the post now', async () => {
      const id = await post(ann)
      const count = (expected: number) =>
        until(
          () => keep(ann, id),
          (reply) => reply.json.count === expected,
        )
      await keep(bob, id)
      await keep(bob, id)
      await count(2)
      await letGo(bob, id)
      await letGo(bob, id)
      await count(1)
      await letGo(ann, id)
    })

    test('a reminder comes when it is due, and not after the post was let go', async () => {
      const [kept, left, later] = [await post(ann), await post(ann), await post(ann)]
      const soon = `?remind_at=${new Date(Date.now() + 300).toISOString()}`
      expect((await keep(bob, kept, soon)).json).toMatchObject({ post_id: kept, reminded: false })
      await keep(bob, left, soon)
      await letGo(bob, left)
      await keep(bob, later, `?remind_at=${new Date(Date.now() + 3_600_000).toISOString()}`)
      await until(
        () => page(bob),
        ({ json }) => json.bookmarks.some((one: { reminded: boolean }) => one.reminded),
      )
      const { bookmarks } = (await page(bob)).json
      expect(bookmarks).toMatchObject([
        { post_id: later, reminded: false },
        { post_id: kept, reminded: true },
      ])
      await keep(bob, left)
      expect((await page(bob)).json.bookmarks[0]).toMatchObject({
        post_id: left,
        reminded: false,
        remind_at: null,
      })
    })

    test('bad input is refused as everywhere', async () => {
      const id = await post(ann)
      for (const time of ['yesterday', '2001-01-01T00:00:00Z', '2999-01-01T00:00:00Z']) {
        const reply = await keep(bob, id, `?remind_at=${time}`)
        expect(reply.status).toBe(400)
        expect(reply.json).toMatchObject({ code: 'invalid_request', errors: [{ path: 'query.remind_at' }] })
      }
      expect((await keep(bob, '1')).status).toBe(404)
      expect((await keep(bob, 'x')).json.code).toBe('invalid_id')
      expect((await page(bob, '?cursor=!')).status).toBe(400)
      expect((await world.call('GET', `${api}/bookmarks`, {})).status).toBe(401)
      expect((await world.call('GET', `${api}/bookmarks`, { as: SERVER_KEY })).status).toBe(400)
    })

    test('a repeated request with a key keeps once', async () => {
      const id = await post(ann)
      const headers = { 'idempotency-key': 'once' }
      const path = `${api}/posts/${id}/bookmark`
      await world.call('PUT', path, { as: bob.token, headers })
      await letGo(bob, id)
      const again = await world.call('PUT', path, { as: bob.token, headers })
      expect(again.headers.get('idempotency-replayed')).toBe('true')
      expect(again.json.kept_at).toBeNull()
    })
  })
}
