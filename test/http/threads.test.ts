/** Replies and threads over HTTP. */

import { afterAll, beforeAll, expect, it } from 'vitest'
import { createWorld, SERVER_KEY, type Person, type World } from './world.ts'

let world: World
let alice: Person
let bob: Person
let carol: Person

beforeAll(async () => {
  world = await createWorld()
  ;[alice, bob, carol] = await Promise.all(['alice', 'bob', 'carol'].map((name) => world.person(name)))
})
afterAll(() => world.close())

const v1 = (method: string, path: string, as?: string, body?: unknown) =>
  world.call(method, `/api/v1${path}`, { as, body })

async function post(as: Person, replyTo?: string, more: object = {}): Promise<string> {
  const body = { content: 'A post.', ...more, ...(replyTo === undefined ? {} : { reply_to: replyTo }) }
  const made = await v1('POST', '/posts', as.token, body)
  await world.rivulet.settle()
  return made.json.id
}

async function replies(as: string, id: string, query = ''): Promise<string[]> {
  const found: string[] = []
  for (let cursor = ''; ;) {
    const page = (await v1('GET', `/posts/${id}/replies?limit=2${query}${cursor}`, as)).json
    found.push(...page.posts.map((reply: { id: string }) => reply.id))
    expect(page.has_more).toBe(page.next_cursor !== null)
    if (page.next_cursor === null) return found
    cursor = `&cursor=${page.next_cursor}`
  }
}

it('lists the replies to a post, in both orders, without those of blocked accounts', async () => {
  const root = await post(alice)
  const [one, two, three] = [await post(bob, root), await post(carol, root), await post(alice, root)]
  await post(bob, one)
  expect(await replies(carol.token, root)).toEqual([three, two, one])
  expect(await replies(carol.token, root, '&order=latest')).toEqual([three, two, one])
  expect(await replies(SERVER_KEY, root, '&order=oldest')).toEqual([one, two, three])
  await v1('PUT', `/accounts/${bob.id}/block`, carol.token)
  expect(await replies(carol.token, root, '&order=oldest')).toEqual([two, three])
  await v1('DELETE', `/accounts/${bob.id}/block`, carol.token)
  await v1('DELETE', `/posts/${two}`, carol.token)
  expect(await replies(carol.token, root)).toEqual([three, one])
})

it('a cursor holds for its order, its post and its reader alone', async () => {
  const [root, other] = [await post(alice), await post(alice)]
  for (let i = 0; i < 3; i++) await post(bob, root)
  const page = (await v1('GET', `/posts/${root}/replies?limit=1`, bob.token)).json
  for (const [path, as] of [
    [`/posts/${root}/replies?order=oldest&`, bob],
    [`/posts/${root}/reposts?`, bob],
    [`/posts/${other}/replies?`, bob],
    [`/posts/${root}/replies?`, carol],
  ] as const) {
    const refused = await v1('GET', `${path}cursor=${page.next_cursor}`, as.token)
    expect([refused.status, refused.json.code]).toEqual([400, 'invalid_cursor'])
  }
  expect((await v1('GET', `/posts/${root}/replies?order=best`, bob.token)).json.code).toBe('invalid_request')
  expect((await v1('GET', `/posts/${root}/thread?cursor=${page.next_cursor}`, bob.token)).status).toBe(400)
})

it('a thread shows what a post replies to, from the first on, and the replies to it', async () => {
  const root = await post(alice)
  const middle = await post(bob, root)
  const id = await post(carol, middle)
  const below = [await post(alice, id), await post(bob, id), await post(carol, id)]
  await v1('PUT', `/posts/${root}/like`, bob.token)
  const thread = (await v1('GET', `/posts/${id}/thread?order=oldest&limit=2`, bob.token)).json
  expect(thread.truncated).toBeUndefined()
  expect(thread.ancestors.map((one: { id: string }) => one.id)).toEqual([root, middle])
  expect(thread.ancestors[0]).toMatchObject({ counts: { replies: 1, likes: 1 }, viewer: { liked: true } })
  expect(thread.post).toMatchObject({ id, reply_to: middle, author: { handle: 'carol' } })
  expect(thread.replies.map((one: { id: string }) => one.id)).toEqual(below.slice(0, 2))
  const path = `/posts/${id}/replies?order=oldest&cursor=${thread.next_cursor}`
  expect((await v1('GET', path, bob.token)).json.posts).toMatchObject([{ id: below[2] }])
  const alone = (await v1('GET', `/posts/${root}/thread`, SERVER_KEY)).json
  expect([alone.ancestors, alone.next_cursor]).toEqual([[], null])
})

it('an ancestor that is deleted or hidden is named, and no more', async () => {
  const root = await post(alice)
  const deleted = await post(bob, root)
  const hidden = await post(carol, deleted, { visibility: 'followers' })
  await v1('PUT', `/accounts/${carol.id}/follow`, bob.token)
  const id = await post(bob, hidden)
  await v1('DELETE', `/posts/${deleted}`, bob.token)
  const { ancestors } = (await v1('GET', `/posts/${id}/thread`, alice.token)).json
  expect(ancestors).toMatchObject([{ id: root, content: 'A post.' }, { id: deleted }, { id: hidden }])
  expect(ancestors.slice(1)).toEqual([
    { id: deleted, unavailable: true },
    { id: hidden, unavailable: true },
  ])
  expect((await v1('GET', `/posts/${deleted}/thread`, alice.token)).status).toBe(404)
  expect((await v1('GET', `/posts/${hidden}/replies`, alice.token)).status).toBe(404)
})
