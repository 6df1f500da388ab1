/** Likes over HTTP: counts, `viewer.liked`, and who likes a post. */

import { afterAll, beforeAll, expect, it } from 'vitest'
import { createWorld, SERVER_KEY, type Person, type World } from './world.ts'

let world: World
let alice: Person
let bob: Person
let carol: Person

beforeAll(async () => {
  world = await createWorld()
  ;[alice, bob, carol] = await Promise.all(['alice', 'bob', 'carol'].map((name) => world.person(name)))
  await v1('PUT', `/accounts/${bob.id}/follow`, alice.token)
})
afterAll(() => world.close())

const v1 = (method: string, path: string, as?: string, body?: unknown, headers = {}) =>
  world.call(method, `/api/v1${path}`, { as, body, headers })

async function post(as: Person, body: object = { content: 'A post.' }): Promise<string> {
  return (await v1('POST', '/posts', as.token, body)).json.id
}
const like = async (as: Person, id: string) => (await v1('PUT', `/posts/${id}/like`, as.token)).json
const unlike = async (as: Person, id: string) => (await v1('DELETE', `/posts/${id}/like`, as.token)).json
const read = async (as: Person, id: string) => (await v1('GET', `/posts/${id}`, as.token)).json

async function likers(as: Person, id: string, limit = 100): Promise<string[]> {
  const found: string[] = []
  for (let cursor = ''; ;) {
    const page = (await v1('GET', `/posts/${id}/likes?limit=${limit}${cursor}`, as.token)).json
    expect(page.accounts.length).toBeLessThanOrEqual(limit)
    found.push(...page.accounts.map((account: { handle: string }) => account.handle))
    expect(page.has_more).toBe(page.next_cursor !== null)
    if (page.next_cursor === null) return found
    cursor = `&cursor=${page.next_cursor}`
  }
}

it('a like counts once, however often it is sent, and an unlike takes it back', async () => {
  const id = await post(bob)
  const counts = (likes: number) => ({ replies: 0, reposts: 0, likes })
  for (let again = 0; again < 2; again++) {
    expect(await like(alice, id)).toEqual({ post_id: id, liked: true, counts: counts(1) })
  }
  // One's own post can be liked, too.
  expect((await like(bob, id)).counts.likes).toBe(2)
  for (let again = 0; again < 2; again++) {
    expect(await unlike(alice, id)).toEqual({ post_id: id, liked: false, counts: counts(1) })
  }
  expect((await like(alice, id)).counts.likes).toBe(2)
})

it('pages tell each viewer what it likes', async () => {
  const [one, two] = [await post(bob), await post(bob)]
  await like(alice, one)
  await like(carol, two)
  const views = async (as: string) => {
    const { posts } = (await v1('GET', `/accounts/${bob.id}/posts?limit=2`, as)).json
    return posts.map((found: { viewer: { liked: boolean } | null }) => found.viewer?.liked)
  }
  expect(await views(alice.token)).toEqual([false, true])
  expect(await views(carol.token)).toEqual([true, false])
  expect(await views(SERVER_KEY)).toEqual([undefined, undefined])
  const feed = (await v1('GET', '/feed?limit=2', alice.token)).json.posts
  expect(feed.map((found: { viewer: object }) => found.viewer)).toEqual([
    { own: false, following_author: true, liked: false },
    { own: false, following_author: true, liked: true },
  ])
  await unlike(alice, one)
  expect((await read(alice, one)).viewer.liked).toBe(false)
})

it('a repost is liked as what it repeats', async () => {
  const original = await post(bob)
  const repost = await post(carol, { repost_of: original })
  expect(await like(alice, repost)).toMatchObject({ post_id: original, liked: true, counts: { likes: 1 } })
  const found = await read(alice, repost)
  expect([found.counts.likes, found.viewer.liked]).toEqual([0, false])
  expect([found.original.counts.likes, found.original.viewer.liked]).toEqual([1, true])
  expect(await likers(bob, repost)).toEqual(['alice'])
})

it('lists who likes a post, the latest first, page by page', async () => {
  const id = await post(bob)
  for (const one of [alice, bob, carol, alice]) await like(one, id)
  for (const limit of [1, 2, 100]) expect(await likers(bob, id, limit)).toEqual(['carol', 'bob', 'alice'])
  await unlike(alice, id)
  await like(alice, id)
  for (const limit of [1, 2, 100]) expect(await likers(bob, id, limit)).toEqual(['alice', 'carol', 'bob'])
})

it('a cursor of the list opens it for its reader and its post alone', async () => {
  const [id, other] = [await post(bob), await post(bob)]
  for (const one of [alice, bob]) await like(one, id)
  const { next_cursor: cursor } = (await v1('GET', `/posts/${id}/likes?limit=1`, bob.token)).json
  for (const [path, as] of [
    [`/posts/${other}/likes`, bob],
    [`/posts/${id}/likes`, alice],
    [`/accounts/${bob.id}/followers`, bob],
    ['/feed', bob],
  ] as const) {
    const refused = await v1('GET', `${path}?cursor=${cursor}`, as.token)
    expect([refused.status, refused.json.code]).toEqual([400, 'invalid_cursor'])
  }
})

it('a block hides likes from each other, in both directions', async () => {
  const [dan, eve] = await Promise.all(['dan', 'eve'].map((name) => world.person(name)))
  const [id, own] = [await post(bob), await post(dan)]
  for (const one of [alice, dan, eve]) await like(one, id)
  await v1('PUT', `/accounts/${eve.id}/block`, dan.token)
  for (const limit of [1, 2]) {
    expect(await likers(dan, id, limit)).toEqual(['dan', 'alice'])
    expect(await likers(eve, id, limit)).toEqual(['eve', 'alice'])
  }
  expect((await v1('PUT', `/posts/${own}/like`, eve.token)).status).toBe(404)
  // What was liked stays counted.
  expect((await read(dan, id)).counts.likes).toBe(3)
})

it('likes of a deleted post cannot be reached', async () => {
  const id = await post(bob)
  await like(alice, id)
  await v1('DELETE', `/posts/${id}`, bob.token)
  for (const [method, path] of [
    ['PUT', 'like'],
    ['DELETE', 'like'],
    ['GET', 'likes'],
  ]) {
    expect((await v1(method, `/posts/${id}/${path}`, alice.token)).json.code).toBe('not_found')
  }
})

it('a repeated key changes nothing and tells what holds now', async () => {
  const id = await post(bob)
  const send = (method: string, key: string) =>
    v1(method, `/posts/${id}/like`, alice.token, undefined, { 'idempotency-key': key })
  expect((await send('PUT', 'like-1')).json.counts.likes).toBe(1)
  expect((await send('DELETE', 'unlike-1')).json).toMatchObject({ liked: false, counts: { likes: 0 } })
  const repeat = await send('PUT', 'like-1')
  expect(repeat.headers.get('idempotency-replayed')).toBe('true')
  expect(repeat.json).toMatchObject({ liked: false, counts: { likes: 0 } })
})

it('many at once are all counted', async () => {
  const id = await post(bob)
  const people = await Promise.all(Array.from({ length: 20 }, (_, i) => world.person(`many${i}`)))
  await Promise.all(people.flatMap((one) => [like(one, id), like(one, id)]))
  expect((await read(bob, id)).counts.likes).toBe(20)
  expect(new Set(await likers(bob, id, 7)).size).toBe(20)
})
