/** Writes that are sent twice: one effect, one answer. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMemoryEphemeral } from '../../src/ports/ephemeral/memory.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'
import { RivuletError } from '../../src/core/errors.ts'
import { createIdempotentRequests, onceOf, type Attempt } from '../../src/http/idempotency.ts'
import { createWorld, SERVER_KEY, type Person, type World } from './world.ts'

let world: World
let alice: Person
let bob: Person
let keys = 0

beforeAll(async () => {
  world = await createWorld()
  alice = await world.person('alice')
  bob = await world.person('bob')
})
afterAll(() => world.close())

const newKey = () => `key-${keys++}`
const send = (method: string, path: string, as: string, key: string, body?: unknown) =>
  world.call(method, `/api/v1${path}`, { as, body, headers: { 'idempotency-key': key } })

describe('a repeated write', () => {
  const twice: [string, string, () => string, object | undefined][] = [
    ['POST', '/accounts', () => SERVER_KEY, {}],
    ['POST', '/accounts', () => SERVER_KEY, { handle: 'once' }],
    ['POST', '/accounts', () => SERVER_KEY, { handle: 'once2', external_id: 'once2' }],
    ['PUT', '/accounts/ext:put', () => SERVER_KEY, { display_name: 'Put' }],
    ['PUT', '/accounts/ext:alice', () => SERVER_KEY, { bio: 'Changed.' }],
    ['POST', '/tokens', () => SERVER_KEY, { account_id: 'ext:alice' }],
    ['PUT', '/accounts/ext:bob/follow', () => alice.token, undefined],
    ['DELETE', '/accounts/ext:bob/follow', () => alice.token, undefined],
    ['PUT', '/accounts/ext:bob/mute', () => alice.token, undefined],
    ['DELETE', '/accounts/ext:bob/mute', () => alice.token, undefined],
    ['PUT', '/accounts/ext:bob/block', () => alice.token, undefined],
    ['DELETE', '/accounts/ext:bob/block', () => alice.token, undefined],
    ['POST', '/posts', () => alice.token, { content: 'Once.' }],
    ['PUT', '/admin/tiers/ext:alice', () => SERVER_KEY, { tier: 'pull' }],
    ['PATCH', '/admin/policy', () => SERVER_KEY, { inactive_days: 20 }],
  ]
  it.each(twice)('%s %s answers the same', async (method, path, as, body) => {
    const key = newKey()
    const first = await send(method, path, as(), key, body)
    expect(first.status).toBeLessThan(300)
    expect(first.headers.get('idempotency-replayed')).toBeNull()
    for (let again = 0; again < 2; again++) {
      const repeat = await send(method, path, as(), key, body)
      expect(repeat.headers.get('idempotency-replayed')).toBe('true')
      expect([repeat.status, repeat.text]).toEqual([first.status, first.text])
    }
  })

  it('DELETE of a post answers the same', async () => {
    const made = await send('POST', '/posts', alice.token, newKey(), { content: 'x' })
    const key = newKey()
    const first = await send('DELETE', `/posts/${made.json.id}`, alice.token, key)
    const repeat = await send('DELETE', `/posts/${made.json.id}`, alice.token, key)
    expect(repeat.text).toBe(first.text)
    expect(repeat.headers.get('idempotency-replayed')).toBe('true')
  })

  it('does not execute again', async () => {
    const key = newKey()
    const body = { content: 'Counted.', custom: { a: 1, b: { c: 2, d: 3 } } }
    const before = (await world.call('GET', `/api/v1/accounts/${alice.id}`, { as: alice.token })).json
      .posts_count
    const first = await send('POST', '/posts', alice.token, key, body)
    // The same value with its names in another order is the same request.
    const other = { custom: { b: { d: 3, c: 2 }, a: 1 }, content: 'Counted.' }
    expect((await send('POST', '/posts', alice.token, key, other)).json.id).toBe(first.json.id)
    const after = (await world.call('GET', `/api/v1/accounts/${alice.id}`, { as: alice.token })).json
      .posts_count
    expect(after - before).toBe(1)
  })

  it('is known by scope: another account and the server key have keys of their own', async () => {
    const key = newKey()
    const mine = await send('POST', '/posts', alice.token, key, { content: 'Mine.' })
    const theirs = await send('POST', '/posts', bob.token, key, { content: 'Theirs.' })
    const servers = await send('POST', '/accounts', SERVER_KEY, key, {})
    expect([mine.status, theirs.status, servers.status]).toEqual([201, 201, 201])
    const acting = await world.call('POST', '/api/v1/posts', {
      as: SERVER_KEY,
      body: { content: 'Mine.' },
      headers: { 'idempotency-key': key, 'rivulet-account': alice.id },
    })
    expect(acting.json.id).toBe(mine.json.id)
  })

  it('with another body, method or address is refused', async () => {
    const key = newKey()
    await send('POST', '/posts', alice.token, key, { content: 'One.' })
    for (const reply of [
      await send('POST', '/posts', alice.token, key, { content: 'Two.' }),
      await send('PUT', `/accounts/${bob.id}/mute`, alice.token, key),
    ]) {
      expect(reply.json).toMatchObject({ status: 422, code: 'idempotency_key_reused' })
    }
  })

  it('that was refused the first time is executed again', async () => {
    const key = newKey()
    expect((await send('POST', '/posts', alice.token, key, { content: '' })).status).toBe(400)
    expect((await send('POST', '/posts', alice.token, key, { content: 'Now.' })).status).toBe(201)
  })

  it('of an account whose name was taken stays refused', async () => {
    const key = newKey()
    await send('POST', '/accounts', SERVER_KEY, newKey(), { handle: 'held' })
    for (let again = 0; again < 2; again++)
      expect((await send('POST', '/accounts', SERVER_KEY, key, { handle: 'held' })).json.code).toBe(
        'handle_taken',
      )
  })

  it('of a post that was deleted meanwhile finds it deleted', async () => {
    const key = newKey()
    const made = await send('POST', '/posts', alice.token, key, { content: 'Soon gone.' })
    await world.call('DELETE', `/api/v1/posts/${made.json.id}`, { as: alice.token })
    expect((await send('POST', '/posts', alice.token, key, { content: 'Soon gone.' })).status).toBe(404)
  })
})

it('a write that comes another way is known as a repeat by the same account, operation and body', async () => {
  const key = newKey()
  const body = { content: 'Over HTTP.' }
  const first = await send('POST', '/posts', alice.token, key, body)
  const requests = createIdempotentRequests(
    world.rivulet.engine.store,
    createMemoryEphemeral({ env: createRealEnv() }),
  )
  const keyed = { scope: alice.number, key, operation: 'POST /api/v1/posts', body }
  const attempt: Attempt<string> = { run: async () => 'run', replay: async (eventId) => String(eventId) }
  const again = { answer: first.json.id, replayed: true }
  expect(await requests.attempt(onceOf(keyed), attempt)).toEqual(again)
  const other = { ...keyed, body: { content: 'On a socket.' } }
  await expect(requests.attempt(onceOf(other), attempt)).rejects.toMatchObject({
    code: 'idempotency_key_reused',
  })
  expect(await requests.attempt(onceOf({ ...keyed, scope: bob.number }), attempt)).toEqual({
    answer: 'run',
    replayed: false,
  })
  expect(onceOf({ ...keyed, key: undefined })).toBeUndefined()
})

describe('an answer that was lost', () => {
  it('after the event was written is given to the next try', async () => {
    const key = newKey()
    const body = { content: 'Written, not told.' }
    const { reads } = world.rivulet.feed
    const { lookup } = reads
    const before = await reads.postsCount(alice.number)
    reads.lookup = () => Promise.reject(new Error('the process is in trouble'))
    expect((await send('POST', '/posts', alice.token, key, body)).status).toBe(500)
    reads.lookup = lookup
    const repeat = await send('POST', '/posts', alice.token, key, body)
    expect([repeat.status, repeat.headers.get('idempotency-replayed')]).toEqual([201, 'true'])
    expect(await reads.postsCount(alice.number)).toBe(before + 1)
  })

  it('when the server ended is given by the next server', async () => {
    const key = newKey()
    const first = await send('POST', '/posts', alice.token, key, { content: 'Before.' })
    // Claims are gone with the process; rows are not.
    const next = await createWorld({ rivulet: world.rivulet })
    const repeat = await next.call('POST', '/api/v1/posts', {
      as: alice.token,
      body: { content: 'Before.' },
      headers: { 'idempotency-key': key },
    })
    await next.api.app.close()
    expect([repeat.text, repeat.headers.get('idempotency-replayed')]).toEqual([first.text, 'true'])
  })
})

describe('at the same time', () => {
  it('one is executed; the others wait their turn or get its answer', async () => {
    const key = newKey()
    const before = (await world.call('GET', `/api/v1/accounts/${bob.id}`, { as: bob.token })).json.posts_count
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => send('POST', '/posts', bob.token, key, { content: 'At once.' })),
    )
    const made = replies.filter(({ status }) => status === 201)
    expect(new Set(made.map(({ json }) => json.id)).size).toBe(1)
    expect(made.filter(({ headers }) => headers.get('idempotency-replayed') === null)).toHaveLength(1)
    for (const { json, headers } of replies.filter(({ status }) => status !== 201)) {
      expect(json).toMatchObject({ status: 409, code: 'idempotency_in_flight', retriable: true })
      expect(headers.get('retry-after')).toBe('1')
    }
    const after = (await world.call('GET', `/api/v1/accounts/${bob.id}`, { as: bob.token })).json.posts_count
    expect(after - before).toBe(1)
  })
})

describe('a key', () => {
  it.each(['', 'x'.repeat(256), 'a b', 'naïve'])('%j is refused', async (key) => {
    const reply = await send('POST', '/posts', alice.token, key, { content: 'x' })
    expect(reply.json).toMatchObject({
      code: 'invalid_request',
      errors: [{ path: 'header.idempotency-key' }],
    })
  })

  it('may be long', async () => {
    expect((await send('POST', '/posts', alice.token, '~'.repeat(255), { content: 'x' })).status).toBe(201)
  })
})

describe('an outcome that is unknown', () => {
  const once = onceOf({ scope: 0, key: 'u', operation: 'POST /x', body: {} })
  const attemptWith = (error: unknown): Attempt<string> => ({
    run: () => Promise.reject(error),
    replay: async () => 'replayed',
  })

  it('holds back a repeat until the row is there; one that was refused does not', async () => {
    const store = world.rivulet.engine.store
    const requests = createIdempotentRequests(store, createMemoryEphemeral({ env: createRealEnv() }))
    const attempt = (error: unknown) => requests.attempt(once, attemptWith(error))
    await expect(attempt(new RivuletError('overloaded', 'x'))).rejects.toMatchObject({ code: 'overloaded' })
    await expect(attempt(new RivuletError('unavailable', 'x'))).rejects.toMatchObject({ code: 'unavailable' })
    await expect(attempt(new RivuletError('not_found', 'x'))).rejects.toMatchObject({ code: 'not_found' })
    await expect(attempt(new RivuletError('outcome_unknown', 'x'))).rejects.toMatchObject({
      code: 'outcome_unknown',
    })
    await expect(attempt(new Error('never run'))).rejects.toMatchObject({ code: 'idempotency_in_flight' })
  })

  it('is not the result of a write whose claim cannot be released', async () => {
    const lost = Object.assign(createMemoryEphemeral({ env: createRealEnv() }), {
      take: () => Promise.reject(new RivuletError('unavailable', 'no answer')),
    })
    const requests = createIdempotentRequests(world.rivulet.engine.store, lost)
    const other = onceOf({ scope: 0, key: 'claim-lost', operation: 'POST /x', body: {} })
    const made = { run: async () => 'made', replay: async () => 'replayed' }
    await expect(requests.attempt(other, made)).resolves.toMatchObject({ answer: 'made' })
  })
})
