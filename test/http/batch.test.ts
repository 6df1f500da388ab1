/** Batches: a result for each item, each carried out once, whatever is repeated or fails beside it. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { LIMITS } from '../../src/core/limits.ts'
import { RivuletError } from '../../src/core/errors.ts'
import { createWorld, SERVER_KEY, type Person, type Reply, type World } from './world.ts'

let world: World
let alice: Person
let bob: Person

beforeAll(async () => {
  world = await createWorld()
  alice = await world.person('alice')
  bob = await world.person('bob')
})
afterAll(() => world.close())

const server = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  world.call(method, `/api/v1${path}`, { as: SERVER_KEY, body, headers })
const batch = (what: string, items: unknown) => server('POST', `/batch/${what}`, { items })
// Results have the shapes of many answers.
// oxlint-disable-next-line no-explicit-any
const resultsOf = async (what: string, items: unknown): Promise<any[]> => {
  const { status, json } = await batch(what, items)
  expect(status).toBe(200)
  return json.results
}
const range = (count: number) => Array.from({ length: count }, (_, i) => i)
const postsOf = async (account: string): Promise<string[]> => {
  const { posts } = (await server('GET', `/accounts/${account}/posts?limit=100`)).json
  return posts.map(({ content }: { content: string }) => content)
}

function refused(reply: Reply, status: number, code: string, path?: string): void {
  expect([reply.status, reply.json.code]).toEqual([status, code])
  if (path !== undefined) expect(reply.json.errors[0].path).toBe(path)
}

describe('a batch is refused as a whole', () => {
  it.each(['accounts', 'follows', 'posts'])('%s: for its form', async (what) => {
    for (const [body, path] of [
      [[], ''],
      [{}, '/items'],
      [{ items: {} }, '/items'],
      [{ items: 'x' }, '/items'],
      [{ items: null }, '/items'],
      [{ items: [] }, '/items'],
      [{ items: range(1_001).map(() => ({})) }, '/items'],
      [{ items: [{}], more: 1 }, '/more'],
    ] as const)
      refused(await server('POST', `/batch/${what}`, body), 400, 'invalid_request', path)
    refused(await server('POST', `/batch/${what}?x=1`, { items: [{}] }), 400, 'invalid_request', 'query.x')
    refused(await server('POST', `/batch/${what}`), 400, 'invalid_request', '')
  })

  it('for its size, its type, its values, and a key of its own', async () => {
    const item = { author: 'ext:alice', content: 'x'.repeat(900_000) }
    refused(
      await batch(
        'posts',
        range(10).map(() => item),
      ),
      413,
      'payload_too_large',
    )
    const many = { author: 'ext:alice', custom: range(4_000).map(() => 1) }
    refused(
      await batch(
        'posts',
        range(40).map(() => many),
      ),
      400,
      'invalid_request',
    )
    const sent = { as: SERVER_KEY, raw: '{"items":[{}]}', headers: { 'content-type': 'text/csv' } }
    refused(await world.call('POST', '/api/v1/batch/posts', sent), 415, 'unsupported_media_type')
    const keyed = await server('POST', '/batch/accounts', { items: [{}] }, { 'idempotency-key': 'k' })
    refused(keyed, 400, 'invalid_request', 'header.idempotency-key')
    const acting = await server('POST', '/batch/posts', { items: [{}] }, { 'rivulet-account': alice.id })
    refused(acting, 403, 'forbidden')
    expect(await postsOf(alice.id)).toEqual([])
  })

  it('but a large one is not, nor one of a thousand items', async () => {
    const long = range(20).map((i) => ({
      author: 'ext:alice',
      content: `${i} ${'word '.repeat(900)}`.repeat(1),
    }))
    const custom = range(20).map(() => ({ author: 'ext:alice', custom: range(2_000).map(() => 1) }))
    const results = await resultsOf('posts', [...long, ...custom])
    expect(results.map(({ status }) => status)).toEqual(results.map(() => 201))
    const items = range(LIMITS.batchItemsMax).map((i) => ({
      external_id: `many-${i}`,
      display_name: `No ${i}`,
    }))
    const accounts = await resultsOf('accounts', items)
    expect(accounts.map(({ external_id: name }) => name)).toEqual(items.map(({ external_id: name }) => name))
    expect(new Set(accounts.map(({ id }) => id)).size).toBe(items.length)
  })
})

describe('an item that is wrong', () => {
  it('has a problem that names its place, and leaves the others alone', async () => {
    const author = await world.person('writer')
    const wrong: [unknown, number, string, string][] = [
      [null, 400, 'invalid_request', ''],
      [[], 400, 'invalid_request', ''],
      [{ content: 'x' }, 400, 'invalid_request', '/author'],
      [{ author: 5, content: 'x' }, 400, 'invalid_request', '/author'],
      [{ author: '05', content: 'x' }, 400, 'invalid_id', '/author'],
      [{ author: 'ext:', content: 'x' }, 400, 'invalid_request', '/author'],
      [{ author: 'ext:nobody', content: 'x' }, 404, 'not_found', '/author'],
      [{ author: author.id }, 400, 'invalid_request', ''],
      [{ author: author.id, content: 5 }, 400, 'invalid_request', '/content'],
      [{ author: author.id, content: ' ' }, 400, 'invalid_request', '/content'],
      [{ author: author.id, content: 'x', created_at: 5 }, 400, 'invalid_request', '/created_at'],
      [{ author: author.id, content: 'x', visibility: 'none' }, 400, 'invalid_request', '/visibility'],
      [{ author: author.id, content: 'x', reply_to: '7' }, 404, 'not_found', '/reply_to'],
      [{ author: author.id, content: 'x', reply_to: 'x' }, 400, 'invalid_id', '/reply_to'],
      [
        { author: author.id, content: 'x', idempotency_key: 'a b' },
        400,
        'invalid_request',
        '/idempotency_key',
      ],
      [{ author: author.id, content: 'x', idempotency_key: 5 }, 400, 'invalid_request', '/idempotency_key'],
    ]
    const items = wrong.flatMap(([item], i) => [item, { author: author.id, content: `good ${i}` }])
    const results = await resultsOf('posts', items)
    wrong.forEach(([, status, code, path], i) => {
      expect(results[2 * i]).toMatchObject({
        status,
        problem: { code, retriable: false, errors: [{ path }] },
      })
      expect(results[2 * i + 1]).toMatchObject({ status: 201, content: `good ${i}` })
    })
    expect(await postsOf(author.id)).toEqual(wrong.map((_, i) => `good ${wrong.length - 1 - i}`))
  })

  it('of accounts and follows', async () => {
    const accounts = await resultsOf('accounts', [
      { external_id: '' },
      { external_id: '\ud800', idempotency_key: 'surrogate' },
      { handle: 'Alice' },
      { external_id: 'new', handle: '-' },
      { external_id: 'alice', bio: 'changed' },
    ])
    expect(accounts).toMatchObject([
      { status: 400, problem: { errors: [{ path: '/external_id' }] } },
      { status: 400, problem: { errors: [{ path: '/external_id' }] } },
      { status: 409, problem: { code: 'handle_taken' } },
      { status: 400, problem: { errors: [{ path: '/handle' }] } },
      { status: 200, id: alice.id, bio: 'changed', display_name: 'Name of alice' },
    ])
    await world.call('PUT', `/api/v1/accounts/${alice.id}/block`, { as: bob.token })
    const follows = await resultsOf('follows', [
      { follower: alice.id, followee: bob.id },
      { follower: alice.id, followee: 'ext:nobody' },
      { follower: 'ext:nobody', followee: alice.id },
      { follower: alice.id },
    ])
    expect(follows.map(({ status, problem }) => [status, problem.code, problem.errors?.[0].path])).toEqual([
      [403, 'follow_refused', undefined],
      [404, 'not_found', '/followee'],
      [404, 'not_found', '/follower'],
      [400, 'invalid_request', '/followee'],
    ])
  })
})

describe('an item with a key', () => {
  it('is carried out once: the same batch changes nothing and gives the same results', async () => {
    const people = range(30).map((i) => ({ external_id: `k${i}`, handle: `k${i}`, idempotency_key: `a${i}` }))
    const nameless = range(5).map((i) => ({ bio: `No name ${i}`, idempotency_key: `n${i}` }))
    const made = await resultsOf('accounts', [...people, ...nameless])
    expect(await resultsOf('accounts', [...people, ...nameless])).toEqual(made)
    const follows = range(29).map((i) => ({
      follower: `ext:k${i + 1}`,
      followee: 'ext:k0',
      idempotency_key: `f${i}`,
    }))
    const followed = await resultsOf('follows', follows)
    const posts = range(60).map((i) => ({ author: 'ext:k0', content: `Post ${i}`, idempotency_key: `p${i}` }))
    const posted = await resultsOf('posts', posts)
    expect(await resultsOf('follows', follows)).toEqual(followed)
    expect(await resultsOf('posts', posts)).toEqual(posted)
    expect(await postsOf('ext:k0')).toEqual(range(60).map((i) => `Post ${59 - i}`))
    expect((await server('GET', '/accounts/ext:k0')).json).toMatchObject({
      followers_count: 29,
      posts_count: 60,
    })
  })

  it('is the same request as the single one with that key, and another account has keys of its own', async () => {
    const acting = { 'rivulet-account': 'ext:k1', 'idempotency-key': 'shared' }
    const single = await server('POST', '/posts', { content: 'Once.' }, acting)
    const item = { author: 'ext:k1', content: 'Once.', idempotency_key: 'shared' }
    const [again, other, changed] = await resultsOf('posts', [
      item,
      { ...item, author: 'ext:k2' },
      { ...item, content: 'Twice.' },
    ])
    expect(again).toEqual({ status: 201, ...single.json })
    expect(other).toMatchObject({ status: 201, author: { external_id: 'k2' } })
    expect(changed).toMatchObject({ status: 422, problem: { code: 'idempotency_key_reused' } })
    const [follow] = await resultsOf('follows', [
      { follower: 'ext:k3', followee: 'ext:k4', idempotency_key: 'follow-1' },
    ])
    const headers = { 'rivulet-account': 'ext:k3', 'idempotency-key': 'follow-1' }
    const repeated = await server('PUT', '/accounts/ext:k4/follow', undefined, headers)
    expect(repeated.headers.get('idempotency-replayed')).toBe('true')
    expect(follow).toEqual({ status: 200, ...repeated.json })
    const [put] = await resultsOf('accounts', [{ external_id: 'k 5/', bio: 'x', idempotency_key: 'put-1' }])
    const path = `/accounts/${encodeURIComponent('ext:k 5/').replace('%3A', ':')}`
    const same = await server('PUT', path, { bio: 'x' }, { 'idempotency-key': 'put-1' })
    expect([same.headers.get('idempotency-replayed'), same.json.id]).toEqual(['true', put.id])
  })

  it('that stands twice in one batch is carried out once; with other content it is refused', async () => {
    const author = await world.person('twice')
    const item = { author: author.id, content: 'Same.', idempotency_key: 'twin' }
    const [first, second, third] = await resultsOf('posts', [item, item, { ...item, content: 'Other.' }])
    expect([first.status, second]).toEqual([201, first])
    expect(third).toMatchObject({ status: 422, problem: { code: 'idempotency_key_reused' } })
    expect(await postsOf(author.id)).toEqual(['Same.'])
  })

  it('can be used again after the item was refused', async () => {
    const follow = { follower: 'ext:late1', followee: 'ext:k0', idempotency_key: 'late' }
    expect((await resultsOf('follows', [follow]))[0].status).toBe(404)
    await resultsOf('accounts', [{ external_id: 'late1' }])
    expect((await resultsOf('follows', [follow]))[0]).toMatchObject({ status: 200, following: true })
  })
})

describe('items of one batch', () => {
  it('that name the same external id are carried out in order', async () => {
    const items = range(20).map((i) => ({ external_id: 'one', display_name: `Name ${i}` }))
    const results = await resultsOf('accounts', items)
    expect(results.map(({ status }) => status)).toEqual([201, ...range(19).map(() => 200)])
    expect(new Set(results.map(({ id }) => id)).size).toBe(1)
    expect((await server('GET', '/accounts/ext:one')).json.display_name).toBe('Name 19')
  })

  it('that are posts get ids in their order', async () => {
    const authors = range(7).map((i) => `ext:k${i}`)
    const items = range(900).map((i) => ({ author: authors[i % 7], content: `In order ${i}` }))
    const ids = (await resultsOf('posts', items)).map(({ id }) => Number(id))
    expect(ids).toEqual(ids.toSorted((a, b) => a - b))
  })
})

describe('when the system fails half-way', () => {
  let own: World
  beforeEach(async () => {
    own = await createWorld()
  })
  afterEach(() => own.close())

  const send = async (items: unknown) =>
    (await own.call('POST', '/api/v1/batch/posts', { as: SERVER_KEY, body: { items } })).json.results

  it('the repeated batch carries out each item once', async () => {
    const author = await own.person('author')
    const items = range(40).map((i) => ({ author: author.id, content: `No ${i}`, idempotency_key: `i${i}` }))
    const { commands } = own.rivulet.feed
    const whole = commands.post
    let calls = 0
    // Every third is refused before, and every third fails after its event stands in the log.
    Object.assign(commands, {
      async post(...of: Parameters<typeof whole>) {
        const turn = calls++ % 3
        if (turn === 0)
          throw new RivuletError('unavailable', 'the disk is slow', { cause: new Error('slow') })
        const post = await whole(...of)
        if (turn === 1) throw new RivuletError('internal', 'a secret')
        return post
      },
    })
    // oxlint-disable-next-line no-explicit-any
    const first: any[] = await send(items)
    expect(first.map(({ status }) => status)).toEqual(range(40).map((i) => [503, 500, 201][i % 3]))
    expect(first[0].problem).toMatchObject({ code: 'unavailable', retriable: true })
    expect(JSON.stringify(first)).not.toContain('secret')
    expect(own.logged.filter((line) => line.includes('of a batch'))).toHaveLength(2)
    Object.assign(commands, { post: whole })
    // oxlint-disable-next-line no-explicit-any
    const second: any[] = await send(items)
    expect(second.map(({ status }) => status)).toEqual(items.map(() => 201))
    expect(new Set(second.map(({ id }) => id)).size).toBe(40)
    const { posts_count: count } = (
      await own.call('GET', `/api/v1/accounts/${author.id}`, { as: SERVER_KEY })
    ).json
    expect(count).toBe(40)
  })
})
