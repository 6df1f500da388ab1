/** Requests that meet each other half-way: each is told what really happened. */

import { afterAll, beforeAll, expect, it } from 'vitest'
import { externalIdsTable, handlesTable } from '../../src/graph/tables.ts'
import { createWorld, SERVER_KEY, type Person, type World } from './world.ts'

let world: World
let ann: Person
let bob: Person

beforeAll(async () => {
  world = await createWorld()
  ann = await world.person('ann')
  bob = await world.person('bob')
})
afterAll(() => world.close())

const v1 = (method: string, path: string, as: string, body?: unknown, headers: Record<string, string> = {}) =>
  world.call(method, `/api/v1${path}`, { as, body, headers })

it('a repost that meets the delete of its original is there if it says so, and not if it does not', async () => {
  let reposts = 0
  for (let i = 0; i < 30; i++) {
    const original = (await v1('POST', '/posts', ann.token, { content: 'Here for a moment.' })).json.id
    const [repost] = await Promise.all([
      v1('POST', '/posts', bob.token, { repost_of: original }),
      v1('DELETE', `/posts/${original}`, ann.token),
    ])
    expect([201, 404]).toContain(repost.status)
    if (repost.status === 201) expect(repost.json.repost_of).toBe(original)
    reposts += repost.status === 201 ? 1 : 0
  }
  expect((await v1('GET', '/accounts/ext:bob', SERVER_KEY)).json.posts_count).toBe(reposts)
})

it('two changes of the policy at once both hold', async () => {
  for (let i = 1; i < 10; i++) {
    await Promise.all([
      v1('PATCH', '/admin/policy', SERVER_KEY, { push_threshold_followers: 1_000 + i }),
      v1('PATCH', '/admin/policy', SERVER_KEY, { inactive_days: 30 + i }),
    ])
    const policy = (await v1('GET', '/admin/policy', SERVER_KEY)).json
    expect(policy).toMatchObject({ push_threshold_followers: 1_000 + i, inactive_days: 30 + i })
  }
})

it('names whose creator failed half-way go to whoever has the same external id, and to nobody else', async () => {
  const { store, ids } = world.rivulet.engine
  const account = ids.next()
  const value = handlesTable.encode({ account, external: true })
  await store.insertIfAbsent([
    { ...externalIdsTable.key('orphan'), value },
    { ...handlesTable.key('orphan_handle'), value },
  ])
  const stranger = await v1('POST', '/accounts', SERVER_KEY, { handle: 'orphan_handle' })
  expect([stranger.status, stranger.json.code]).toEqual([409, 'handle_taken'])
  expect((await v1('GET', '/accounts/ext:orphan', SERVER_KEY)).status).toBe(404)
  const owner = await v1('POST', '/accounts', SERVER_KEY, { external_id: 'orphan', handle: 'orphan_handle' })
  expect([owner.status, owner.json.id]).toEqual([201, String(account)])
})

it('an external id in a header is UTF-8', async () => {
  await v1('POST', '/accounts', SERVER_KEY, { external_id: '日本' })
  const bytes = (text: string) => Buffer.from(text).toString('latin1')
  const acting = (value: string) => v1('GET', '/feed', SERVER_KEY, undefined, { 'rivulet-account': value })
  expect((await acting(bytes('ext:日本'))).status).toBe(200)
  const broken = await acting('ext:\xe9')
  expect([broken.status, broken.json.code]).toEqual([400, 'invalid_request'])
})
