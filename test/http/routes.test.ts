/** Every route with valid requests; world.ts checks each answer against the OpenAPI document. */

import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { OpenApi } from './contract.ts'
import { createWorld, SERVER_KEY, type Person, type World } from './world.ts'

let world: World
let alice: Person
let bob: Person
let carol: Person

beforeAll(async () => {
  world = await createWorld()
  alice = await world.person('alice')
  bob = await world.person('bob')
  carol = await world.person('carol')
})
afterAll(() => world.close())

const v1 = (method: string, path: string, as?: string, body?: unknown) =>
  world.call(method, `/api/v1${path}`, { as, body })

async function post(as: Person, body: object) {
  const made = await v1('POST', '/posts', as.token, body)
  expect(made.status).toBe(201)
  return made.json
}

describe('accounts', () => {
  it('are created, with and without names', async () => {
    const made = await v1('POST', '/accounts', SERVER_KEY, { handle: 'dave', bio: 'A bio.' })
    expect(made.status).toBe(201)
    expect(made.json).toMatchObject({ handle: 'dave', external_id: null, bio: 'A bio.', followers_count: 0 })
    expect(made.json.viewer).toBeUndefined()
    expect((await v1('POST', '/accounts', SERVER_KEY, {})).json.handle).toBeNull()
    const taken = await v1('POST', '/accounts', SERVER_KEY, { handle: 'DAVE' })
    expect(taken.json).toMatchObject({ status: 409, code: 'handle_taken', errors: [{ path: '/handle' }] })
  })

  it('are put by external id: created, then changed', async () => {
    const path = `/accounts/${encodeURIComponent('ext:öl/ende 1')}`
    const first = await v1('PUT', path, SERVER_KEY, { display_name: 'One' })
    const second = await v1('PUT', path, SERVER_KEY, { display_name: 'Two' })
    expect([first.status, second.status]).toEqual([201, 200])
    expect(second.json).toMatchObject({ id: first.json.id, external_id: 'öl/ende 1', display_name: 'Two' })
    expect((await v1('GET', path, alice.token)).json.display_name).toBe('Two')
    expect((await v1('PUT', `/accounts/${alice.id}`, SERVER_KEY, {})).json.errors[0].path).toBe('params.id')
  })

  it('have external ids of 128 characters, whatever these take', async () => {
    for (const id of ['👋'.repeat(128), 'é'.repeat(128), 'x'.repeat(128), '👋'.repeat(65)]) {
      const made = await v1('POST', '/accounts', SERVER_KEY, { external_id: id })
      expect([made.status, made.json.external_id]).toEqual([201, id])
      const path = `/accounts/ext:${encodeURIComponent(id)}`
      expect((await v1('GET', path, alice.token)).json.id).toBe(made.json.id)
      expect((await v1('PUT', path, SERVER_KEY, { bio: 'there' })).status).toBe(200)
    }
  })

  it('lose their display name by an empty one', async () => {
    await v1('PUT', '/accounts/ext:nameless', SERVER_KEY, { display_name: 'Named' })
    const changed = await v1('PUT', '/accounts/ext:nameless', SERVER_KEY, { display_name: '' })
    expect([changed.status, changed.json.display_name]).toEqual([200, ''])
  })

  it('answer to `ext:` wherever an id stands', async () => {
    expect((await v1('GET', '/accounts/ext:alice', bob.token)).json.id).toBe(alice.id)
    expect((await v1('POST', '/tokens', SERVER_KEY, { account_id: 'ext:alice' })).status).toBe(201)
    expect((await v1('PUT', '/admin/tiers/ext:alice', SERVER_KEY, { tier: 'auto' })).json.account_id).toBe(
      alice.id,
    )
    const acting = { as: SERVER_KEY, headers: { 'rivulet-account': 'ext:alice' } }
    expect((await world.call('GET', '/api/v1/feed', acting)).status).toBe(200)
  })

  it('are found by the handle that they have now', async () => {
    const one = await world.person('Handy')
    const found = await v1('GET', '/accounts/by-handle/hANDY', bob.token)
    expect(found.json).toMatchObject({ id: one.id, handle: 'Handy', viewer: { following: false } })
    expect((await v1('GET', '/accounts/by-handle/handy', SERVER_KEY)).json.viewer).toBeUndefined()
    await v1('PUT', '/accounts/ext:Handy', SERVER_KEY, { handle: 'handier' })
    expect((await v1('GET', '/accounts/by-handle/handy', bob.token)).json.code).toBe('not_found')
    expect((await v1('GET', '/accounts/by-handle/handier', bob.token)).json.id).toBe(one.id)
    const [never, bad] = await Promise.all(
      ['nobody-has-this', '-no'].map((handle) => v1('GET', `/accounts/by-handle/${handle}`, bob.token)),
    )
    expect([never.status, bad.status, bad.json.errors[0].path]).toEqual([404, 400, 'params.handle'])
  })

  it('read and change themselves', async () => {
    const me = await world.person('myself')
    await v1('PUT', `/accounts/${me.id}/follow`, alice.token)
    await post(me, { content: 'Mine.' })
    const before = (await v1('GET', '/me', me.token)).json
    expect(before).toMatchObject({ id: me.id, handle: 'myself', followers_count: 1, posts_count: 1 })
    expect(before.viewer).toBeUndefined()
    const change = { handle: 'Myself', display_name: 'I', bio: 'A life.' }
    const changed = await v1('PATCH', '/me', me.token, change)
    expect([changed.status, changed.json]).toEqual([200, { ...before, ...change }])
    expect((await v1('PATCH', '/me', me.token, { bio: '' })).json).toMatchObject({ ...change, bio: '' })
    const taken = await v1('PATCH', '/me', me.token, { handle: 'Alice' })
    expect([taken.json.code, taken.json.errors[0].path]).toEqual(['handle_taken', '/handle'])
    for (const body of [{}, { external_id: 'x' }, { handle: '-' }, { bio: null }])
      expect((await v1('PATCH', '/me', me.token, body)).json.code).toBe('invalid_request')
    const acting = { as: SERVER_KEY, headers: { 'rivulet-account': me.id } }
    expect((await world.call('GET', '/api/v1/me', acting)).json).toMatchObject({ ...change, bio: '' })
  })

  it('change themselves once for a key', async () => {
    const me = await world.person('once')
    const patch = (body: object) => {
      const headers = { 'idempotency-key': 'patch-1' }
      return world.call('PATCH', '/api/v1/me', { as: me.token, body, headers })
    }
    const first = await patch({ bio: 'One.' })
    await v1('PATCH', '/me', me.token, { bio: 'Two.' })
    const again = await patch({ bio: 'One.' })
    expect([first.json.bio, again.json.bio, again.headers.get('idempotency-replayed')]).toEqual([
      'One.',
      'Two.',
      'true',
    ])
    expect((await patch({ bio: 'Three.' })).json.code).toBe('idempotency_key_reused')
  })

  it('show how the viewer stands to them', async () => {
    await v1('PUT', `/accounts/${bob.id}/mute`, alice.token)
    const seen = await v1('GET', `/accounts/${bob.id}`, alice.token)
    expect(seen.json.viewer).toEqual({ following: false, followed_by: false, blocking: false, muting: true })
    await v1('DELETE', `/accounts/${bob.id}/mute`, alice.token)
  })
})

describe('relationships', () => {
  it.each(['follow', 'block', 'mute'])('%s: put and deleted, twice alike', async (verb) => {
    const field = { follow: 'following', block: 'blocking', mute: 'muting' }[verb] ?? ''
    for (const on of [true, true, false, false]) {
      const answer = await v1(on ? 'PUT' : 'DELETE', `/accounts/${carol.id}/${verb}`, alice.token)
      expect(answer.status).toBe(200)
      expect(answer.json[field]).toBe(on)
    }
  })

  it('are listed page by page, once each', async () => {
    const star = await world.person('star')
    const fans: string[] = []
    for (let i = 0; i < 7; i++) {
      const fan = await world.person(`fan${i}`)
      fans.push(fan.id)
      await v1('PUT', `/accounts/${star.id}/follow`, fan.token)
    }
    const found: string[] = []
    let query = '?limit=3'
    for (let pages = 0; query !== '' && pages < 9; pages++) {
      const page = (await v1('GET', `/accounts/${star.id}/followers${query}`, bob.token)).json
      found.push(...page.accounts.map(({ id }: { id: string }) => id))
      expect(page.has_more).toBe(page.next_cursor !== null)
      query = page.has_more ? `?limit=3&cursor=${page.next_cursor}` : ''
    }
    expect(found.sort()).toEqual(fans.sort())
    const following = await v1('GET', `/accounts/${fans[0]}/following`, bob.token)
    expect(following.json.accounts).toMatchObject([{ id: star.id, handle: 'star' }])
    expect((await v1('GET', `/accounts/${star.id}`, bob.token)).json.followers_count).toBe(7)
  })
})

describe('the own lists of an account', () => {
  it.each([
    ['blocks', 'block'],
    ['mutes', 'mute'],
  ])('%s: page by page, for nobody else', async (list, verb) => {
    const me = await world.person(`keeper-of-${list}`)
    const others: string[] = []
    for (let i = 0; i < 5; i++) {
      const other = await world.person(`${list}-${i}`)
      others.push(other.id)
      await v1('PUT', `/accounts/${other.id}/${verb}`, me.token)
    }
    await v1('DELETE', `/accounts/${others[1]}/${verb}`, me.token)
    const page = (await v1('GET', `/me/${list}?limit=3`, me.token)).json
    expect([page.accounts.length, page.has_more, page.accounts[0].handle]).toEqual([3, true, `${list}-0`])
    const rest = (await v1('GET', `/me/${list}?cursor=${page.next_cursor}`, me.token)).json
    const found = [...page.accounts, ...rest.accounts].map(({ id }: { id: string }) => id)
    expect(found.sort()).toEqual(others.filter((id) => id !== others[1]).sort())
    expect([rest.has_more, rest.next_cursor]).toEqual([false, null])
    // Whom one is blocked or muted by stands in no list.
    const theirs = await v1('GET', `/me/${list}`, await tokenOf(others[0]))
    expect(theirs.json.accounts).toEqual([])
    const other = list === 'blocks' ? 'mutes' : 'blocks'
    for (const [path, as] of [
      [`/me/${list}`, alice.token],
      [`/me/${other}`, me.token],
      [`/accounts/${me.id}/following`, me.token],
    ])
      expect((await v1('GET', `${path}?cursor=${page.next_cursor}`, as)).json.code).toBe('invalid_cursor')
  })

  const tokenOf = async (id: string): Promise<string> =>
    (await v1('POST', '/tokens', SERVER_KEY, { account_id: id })).json.token
})

describe('posts', () => {
  it('come back as they were given', async () => {
    const custom = { b: [1, { deep: null }], a: 'é' }
    const made = await post(alice, { content: 'Hello 👋', custom, client_ref: 'c-1' })
    expect(made).toMatchObject({
      author: { id: alice.id, handle: 'alice', external_id: 'alice' },
      content: 'Hello 👋',
      custom,
      visibility: 'public',
      reply_to: null,
      repost_of: null,
      client_ref: 'c-1',
      counts: { replies: 0, reposts: 0, likes: 0 },
      viewer: { own: true, following_author: false, liked: false },
    })
    expect((await v1('GET', `/posts/${made.id}`, bob.token)).json.viewer.own).toBe(false)
    expect((await v1('GET', `/posts/${made.id}`, SERVER_KEY)).json.viewer).toBeNull()
  })

  it('count replies and reposts, and a repost carries what it repeats', async () => {
    const original = await post(alice, { content: 'Repeat me.' })
    await post(bob, { content: 'A reply.', reply_to: original.id })
    const repost = await post(bob, { repost_of: original.id })
    await world.rivulet.settle()
    expect(repost.original).toMatchObject({ id: original.id, content: 'Repeat me.' })
    const seen = (await v1('GET', `/posts/${original.id}`, carol.token)).json
    expect(seen.counts).toEqual({ replies: 1, reposts: 1, likes: 0 })
    const thread = (await v1('GET', `/posts/${original.id}/thread`, carol.token)).json
    expect(thread).toMatchObject({ ancestors: [], post: { id: original.id }, next_cursor: null })
    const replies = (await v1('GET', `/posts/${original.id}/replies`, carol.token)).json.posts
    expect(replies).toEqual(thread.replies)
    expect(replies).toMatchObject([{ content: 'A reply.' }])
    const { posts } = (await v1('GET', `/posts/${original.id}/reposts`, carol.token)).json
    expect(posts).toMatchObject([{ id: repost.id, original: { id: original.id } }])
  })

  it('are liked, and list who likes them', async () => {
    const { id } = await post(alice, { content: 'Like me.' })
    expect((await v1('PUT', `/posts/${id}/like`, bob.token)).json).toMatchObject({ post_id: id, liked: true })
    const { accounts } = (await v1('GET', `/posts/${id}/likes`, carol.token)).json
    expect(accounts).toMatchObject([{ id: bob.id, handle: 'bob' }])
    expect((await v1('DELETE', `/posts/${id}/like`, bob.token)).json.counts.likes).toBe(0)
  })

  it('are looked up in the order asked for, and what is missing is named', async () => {
    const one = await post(alice, { content: 'one' })
    const two = await post(alice, { content: 'two', visibility: 'self' })
    const ids = [two.id, one.id, '12345', one.id]
    const mine = (await v1('POST', '/posts/lookup', alice.token, { ids })).json
    expect(mine.posts.map(({ id }: { id: string }) => id)).toEqual([two.id, one.id])
    expect(mine.missing).toEqual(['12345'])
    const theirs = (await v1('POST', '/posts/lookup', bob.token, { ids })).json
    expect(theirs.missing).toEqual([two.id, '12345'])
    expect((await v1('POST', '/posts/lookup', bob.token, { ids: [one.id] })).json.missing).toBeUndefined()
  })

  it('are deleted for good', async () => {
    const made = await post(alice, { content: 'Not for long.' })
    for (let again = 0; again < 2; again++) {
      const gone = await v1('DELETE', `/posts/${made.id}`, alice.token)
      expect(gone.json).toEqual({ id: made.id, deleted: true })
    }
    expect((await v1('GET', `/posts/${made.id}`, alice.token)).status).toBe(404)
  })

  it('have a receipt', async () => {
    await v1('PUT', `/accounts/${alice.id}/follow`, carol.token)
    const made = await post(alice, { content: 'How far?' })
    await world.rivulet.settle()
    for (const as of [alice.token, SERVER_KEY]) {
      const receipt = (await v1('GET', `/posts/${made.id}/receipt`, as)).json
      expect(receipt).toMatchObject({ tier: 'push', planned: 1, done: 1, skipped_inactive: 0 })
      expect(receipt.accepted_at).toBe(made.created_at)
      expect(Date.parse(receipt.done_at) - Date.parse(receipt.accepted_at)).toBe(receipt.lag_ms)
    }
  })

  it('stand on the profile of their author', async () => {
    const erin = await world.person('erin')
    for (let i = 0; i < 5; i++) await post(erin, { content: `Post ${i}` })
    const first = (await v1('GET', `/accounts/${erin.id}/posts?limit=3`, bob.token)).json
    const rest = (
      await v1('GET', `/accounts/${erin.id}/posts?limit=3&cursor=${first.next_cursor}`, bob.token)
    ).json
    const contents = [...first.posts, ...rest.posts].map(({ content }: { content: string }) => content)
    expect(contents).toEqual(['Post 4', 'Post 3', 'Post 2', 'Post 1', 'Post 0'])
    expect([first.has_more, rest.has_more, rest.next_cursor]).toEqual([true, false, null])
    expect((await v1('GET', `/accounts/${erin.id}`, bob.token)).json.posts_count).toBe(5)
  })
})

describe('batches', () => {
  it('do many writes, each with a result of its own', async () => {
    const batch = async (what: string, items: object[]) => {
      const { status, json } = await v1('POST', `/batch/${what}`, SERVER_KEY, { items })
      expect(status).toBe(200)
      return json.results
    }
    const accounts = await batch('accounts', [{ external_id: 'b1', handle: 'b1' }, { display_name: 'B two' }])
    expect(accounts).toMatchObject([
      { status: 201, external_id: 'b1' },
      { status: 201, display_name: 'B two' },
    ])
    const follows = await batch('follows', [
      { follower: 'ext:b1', followee: accounts[1].id },
      { follower: 'ext:b1', followee: 'ext:b1' },
    ])
    expect(follows).toMatchObject([
      { status: 200, following: true },
      { status: 400, problem: { code: 'follow_self' } },
    ])
    const posts = await batch('posts', [{ author: accounts[1].id, content: 'In a batch.' }])
    expect(posts).toMatchObject([{ status: 201, content: 'In a batch.', viewer: { own: true } }])
    await world.rivulet.settle()
    const acting = { as: SERVER_KEY, headers: { 'rivulet-account': 'ext:b1' } }
    const { posts: page } = (await world.call('GET', '/api/v1/feed', acting)).json
    expect(page).toMatchObject([{ id: posts[0].id }])
  })
})

describe('the feed', () => {
  it('pages back, comes forward with `after`, and gives ids alone', async () => {
    const reader = await world.person('reader')
    const writer = await world.person('writer')
    await v1('PUT', `/accounts/${writer.id}/follow`, reader.token)
    for (let i = 0; i < 5; i++) await post(writer, { content: `No ${i}` })
    await world.rivulet.settle()
    const page = (await v1('GET', '/feed?limit=2', reader.token)).json
    expect(page.posts.map(({ content }: { content: string }) => content)).toEqual(['No 4', 'No 3'])
    expect(page).toMatchObject({ has_more: true, complete: true, failed_sources: [] })
    expect(page.as_of).toMatch(/:\d\d\.000Z$/)
    expect(page.gap).toBeUndefined()
    const older = (await v1('GET', `/feed?cursor=${page.next_cursor}`, reader.token)).json
    expect(older.posts).toHaveLength(3)
    await post(writer, { content: 'No 5' })
    await world.rivulet.settle()
    const newer = (await v1('GET', `/feed?after=${page.after}`, reader.token)).json
    expect(newer.posts.map(({ content }: { content: string }) => content)).toEqual(['No 5'])
    const ids = (await v1('GET', '/feed?fields=ids&limit=1', reader.token)).json
    expect(ids.posts).toEqual([{ id: newer.posts[0].id }])
    await v1('PUT', `/accounts/${alice.id}/follow`, reader.token)
    expect((await v1('GET', `/feed?after=${page.after}`, reader.token)).json.gap).toBe(true)
  })

  it('shows an author as they are now', async () => {
    const author = await world.person('before')
    await post(author, { content: 'Mine.' })
    await v1('GET', '/feed', author.token)
    await v1('PUT', '/accounts/ext:before', SERVER_KEY, { display_name: 'After' })
    const page = (await v1('GET', '/feed', author.token)).json
    expect(page.posts[0].author.display_name).toBe('After')
  })
})

describe('operators', () => {
  it('change tiers and policy at run time', async () => {
    const tier = await v1('PUT', `/admin/tiers/${bob.id}`, SERVER_KEY, { tier: 'push', push_share: 3 })
    expect(tier.json).toEqual({ account_id: bob.id, tier: 'push', push_share: 3 })
    const changed = await v1('PATCH', '/admin/policy', SERVER_KEY, { push_threshold_followers: 5_000 })
    expect(changed.json).toEqual({ push_threshold_followers: 5_000, inactive_days: 30, active_hours: 24 })
    expect((await v1('GET', '/admin/policy', SERVER_KEY)).json).toEqual(changed.json)
  })

  it('see health, readiness and numbers', async () => {
    for (const accept of ['text/html', 'application/json'])
      expect((await world.call('GET', '/', { headers: { accept } })).status).toBe(200)
    expect((await world.call('GET', '/healthz')).json.status).toBe('ok')
    expect((await world.call('GET', '/readyz')).json.status).toBe('ready')
    const numbers = (await world.call('GET', '/metrics')).text
    for (const name of [
      'rivulet_visible_seconds_bucket{le="+Inf"}',
      'rivulet_feed_source_seconds_count{source="timeline"}',
      'rivulet_feed_removed_total{rule="repost_seen"}',
      'rivulet_http_requests_total{method="POST",route="/api/v1/posts",status="201"}',
      'rivulet_fanout_inserts_total',
      'rivulet_fanout_lag_events 0',
      'rivulet_log_append_seconds_bucket{le="+Inf"}',
      'process_resident_memory_bytes',
    ]) {
      expect(numbers).toContain(name)
    }
    const appended = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(numbers)?.[1])
    expect(appended('rivulet_log_append_seconds_count')).toBe(appended('rivulet_log_appended_records_total'))
    expect(appended('rivulet_log_appended_bytes_total')).toBeGreaterThan(
      appended('rivulet_log_appended_records_total'),
    )
    const operating = readFileSync(new URL('../../docs/operating.md', import.meta.url), 'utf8')
    for (const [name] of operating.matchAll(/rivulet_\w+/g)) {
      // Timelines that live elsewhere are counted there; and here is no folder.
      const isElsewhere = inject('engines') !== undefined && name.startsWith('rivulet_views_')
      const isOfFolder = name === 'rivulet_log_bytes' || name === 'rivulet_store_bytes'
      if (!name.startsWith('rivulet_rate_') && !isElsewhere && !isOfFolder)
        expect(numbers).toContain(`# HELP ${name} `)
    }
    expect((await world.call('GET', '/docs/')).text).toContain('swagger-ui')
  })

  it('read one line a request, without secrets', async () => {
    await world.call('GET', '/api/v1/feed?limit=1', {
      as: alice.token,
      headers: { 'x-request-id': 'line-1' },
    })
    await new Promise((resolve) => setImmediate(resolve))
    const line = world.logged.find((text) => text.includes('line-1')) ?? '{}'
    expect(JSON.parse(line)).toMatchObject({
      request_id: 'line-1',
      method: 'GET',
      route: '/api/v1/feed',
      status: 200,
      account: Number(alice.id),
    })
    expect(world.logged.join('')).not.toContain(alice.token)
    expect(world.logged.join('')).not.toContain(SERVER_KEY)
  })
})

describe('the document', () => {
  it('is OpenAPI 3.1 and names every operation once', async () => {
    const document = (await world.call('GET', '/openapi.json')).json as OpenApi
    expect(document.openapi).toBe('3.1.0')
    const operations = Object.values(document.paths).flatMap((path) => Object.values(path))
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length)
    for (const operation of operations) {
      expect(operation.summary).toBeTruthy()
      expect(operation.tags).toHaveLength(1)
      expect(operation.security).toBeDefined()
    }
  })

  it('was held against a good answer of every operation', () => {
    const document = world.api.app.swagger() as unknown as OpenApi
    const all = Object.values(document.paths).flatMap((path) =>
      Object.values(path).map(({ operationId }) => operationId),
    )
    expect([...world.contract.seen].sort()).toEqual(all.sort())
  })

  it('has every route of the table, and no other', () => {
    const document = world.api.app.swagger() as unknown as OpenApi
    const inDocument = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path.replace('/api/v1', '')}`),
    )
    expect(inDocument.sort()).toEqual([...TABLE].sort())
  })
})

const TABLE = [
  'POST /accounts',
  'PUT /accounts/{id}',
  'GET /accounts/{id}',
  'GET /accounts/by-handle/{handle}',
  'GET /me',
  'PATCH /me',
  'GET /me/blocks',
  'GET /me/mutes',
  'GET /accounts/{id}/followers',
  'GET /accounts/{id}/following',
  'GET /accounts/{id}/posts',
  ...['follow', 'block', 'mute'].flatMap((verb) => [
    `PUT /accounts/{id}/${verb}`,
    `DELETE /accounts/{id}/${verb}`,
  ]),
  ...['accounts', 'follows', 'posts'].map((what) => `POST /batch/${what}`),
  'POST /tokens',
  'POST /posts',
  'GET /posts/{id}',
  'DELETE /posts/{id}',
  'POST /posts/lookup',
  'GET /posts/{id}/receipt',
  'PUT /posts/{id}/like',
  'DELETE /posts/{id}/like',
  'GET /posts/{id}/likes',
  'GET /posts/{id}/reposts',
  'GET /posts/{id}/replies',
  'GET /posts/{id}/thread',
  'GET /feed',
  'PUT /admin/tiers/{account_id}',
  'GET /admin/policy',
  'PATCH /admin/policy',
  'GET /',
  'GET /healthz',
  'GET /readyz',
  'GET /metrics',
  'GET /openapi.json',
]
