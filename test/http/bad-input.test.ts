/** Invalid input: each gets a clear 4xx that names the place, and changes nothing. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LIMITS } from '../../src/core/limits.ts'
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

const v1 = (method: string, path: string, as?: string, body?: unknown) =>
  world.call(method, `/api/v1${path}`, { as, body })
const postRaw = (raw: string | Uint8Array, headers?: Record<string, string>) =>
  world.call('POST', '/api/v1/posts', { as: alice.token, raw, ...(headers === undefined ? {} : { headers }) })

function refused(reply: Reply, code: string, path?: string): void {
  expect(reply.headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
  expect(reply.json).toMatchObject({ code, status: reply.status })
  if (path !== undefined)
    expect(reply.json.errors.map((error: { path: string }) => error.path)).toContain(path)
}

describe('posts', () => {
  it.each<[string, object, string]>([
    ['5,001 graphemes', { content: 'é'.repeat(5_001) }, '/content'],
    ['5,001 graphemes of many code points', { content: '👩‍👩‍👧'.repeat(5_001) }, '/content'],
    ['nothing', {}, ''],
    ['empty', { content: '' }, '/content'],
    ['blank', { content: ' \n ' }, '/content'],
    ['nothing but what cannot be seen', { content: '\u200b \u3164\u2800\ufe0f\u{e0020}' }, '/content'],
    ['nothing but what cannot be seen, beside custom', { content: '\u00ad', custom: 1 }, '/content'],
    ['NUL', { content: 'a\0b' }, '/content'],
    ['custom of 9 KiB', { custom: 'x'.repeat(9 * 1_024) }, '/custom'],
    ['custom too deep', { custom: JSON.parse('['.repeat(40) + ']'.repeat(40)) }, '/custom'],
    ['an unknown field', { content: 'x', author_id: '1' }, '/author_id'],
    ['a number for content', { content: 5 }, '/content'],
    ['another visibility', { content: 'x', visibility: 'everybody' }, '/visibility'],
    ['a reply that is a repost', { reply_to: '5', repost_of: '5' }, '/repost_of'],
    ['a repost with content', { content: 'x', repost_of: '5' }, '/repost_of'],
    ['a long client_ref', { content: 'x', client_ref: 'x'.repeat(129) }, '/client_ref'],
    ['a long client_ref of few graphemes', { content: 'x', client_ref: 'e\u0301'.repeat(65) }, '/client_ref'],
    ['a list', [], ''],
  ])('%s', async (_name, body, path) => {
    const reply = await v1('POST', '/posts', alice.token, body)
    expect(reply.status).toBe(400)
    refused(reply, 'invalid_request', path)
  })

  it('lone surrogates', async () => {
    refused(await postRaw('{"content":"a\\ud800b"}'), 'invalid_request', '/content')
  })

  it('5,000 graphemes are fine', async () => {
    expect((await v1('POST', '/posts', alice.token, { content: '👩‍👩‍👧'.repeat(5_000) })).status).toBe(201)
  })

  it('left nothing behind', async () => {
    expect((await v1('GET', `/accounts/${alice.id}`, alice.token)).json.posts_count).toBe(1)
  })
})

describe('JSON', () => {
  it('of 10 MB, announced and not', async () => {
    const large = `{"content":"${'x'.repeat(10_000_000)}"}`
    const announced = await postRaw(large)
    expect(announced.status).toBe(413)
    refused(announced, 'payload_too_large')
    const chunked = await fetch(`${world.url}/api/v1/posts`, {
      method: 'POST',
      headers: { authorization: `Bearer ${alice.token}`, 'content-type': 'application/json' },
      body: new Blob([large]).stream(),
      duplex: 'half',
    } as RequestInit)
    expect(chunked.status).toBe(413)
    await chunked.arrayBuffer()
    expect((await v1('GET', '/feed', alice.token)).status).toBe(200)
  })

  it('10,000 deep', async () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ]) {
      const deep = `{"custom":${open.repeat(10_000)}1${close.repeat(10_000)}}`
      refused(await postRaw(deep), 'invalid_request', '')
      refused(await postRaw(open.repeat(100_000)), 'invalid_request', '')
    }
  })

  it.each<[string, string, string]>([
    ['__proto__', '{"content":"x","__proto__":{"a":1}}', '/__proto__'],
    ['__proto__ behind an escape', '{"content":"x","custom":{"__pr\\u006fto__":1}}', '/custom/__proto__'],
    [
      'constructor.prototype',
      '{"custom":[1,{"constructor":{"prototype":{}}}]}',
      '/custom/1/constructor/prototype',
    ],
    ['a name twice', '{"content":"x","content":"y"}', '/content'],
    ['a name twice, once escaped', '{"content":"x","cont\\u0065nt":"y"}', '/content'],
    ['a name twice, deep down', '{"custom":{"a":[{"b":1,"b":2}]}}', '/custom/a/0/b'],
    ['text that is none', '{"content":', ''],
    ['two values', '{} {}', ''],
    ['a comment', '{/*"*/}', ''],
    ['an open string', '{"content":"x', ''],
  ])('%s', async (_name, raw, path) => {
    const reply = await postRaw(raw)
    expect(reply.status).toBe(400)
    refused(reply, 'invalid_request', path)
  })

  it('that looks dangerous and is harmless', async () => {
    const custom = { constructor: 'x', prototype: 1, 'a"b\\': ['{', '}', '"', { '}': ']' }] }
    const made = await v1('POST', '/posts', alice.token, { custom })
    expect(made.json.custom).toEqual(custom)
  })

  it('that is not UTF-8', async () => {
    refused(await postRaw(Buffer.from('{"content":"\xff\xfe"}', 'latin1')), 'invalid_request', '')
  })

  it('where none belongs', async () => {
    refused(await v1('PUT', `/accounts/${bob.id}/mute`, alice.token, { x: 1 }), 'invalid_request', '')
    expect((await v1('DELETE', `/accounts/${bob.id}/mute`, alice.token, {})).status).toBe(200)
  })
})

describe('queries', () => {
  it.each(['0', '-1', '101', '1000000000', '5.0', '1e1', 'abc', '', '%20', '0x5', '5&limit=6'])(
    'limit=%s',
    async (limit) => {
      for (const path of ['/feed', `/accounts/${bob.id}/posts`, `/accounts/${bob.id}/followers`]) {
        const reply = await v1('GET', `${path}?limit=${limit}`, alice.token)
        expect(reply.status).toBe(400)
        refused(reply, 'invalid_request', 'query.limit')
      }
    },
  )

  it('unknown fields', async () => {
    refused(await v1('GET', '/feed?__proto__=1', alice.token), 'invalid_request', 'query.__proto__')
    refused(await v1('GET', '/feed?limits=5', alice.token), 'invalid_request', 'query.limits')
    refused(await v1('GET', '/feed?fields=all', alice.token), 'invalid_request', 'query.fields')
  })
})

describe('cursors', () => {
  it('edited, of another reader, of another feed, of another list', async () => {
    for (let i = 0; i < 3; i++) await v1('POST', '/posts', bob.token, { content: `Post ${i}` })
    const page = (await v1('GET', '/feed?limit=1', bob.token)).json
    const profile = (await v1('GET', `/accounts/${bob.id}/posts?limit=1`, bob.token)).json
    const last = page.next_cursor.at(-1)
    const edited = page.next_cursor.slice(0, -1) + (last === 'A' ? 'B' : 'A')
    const wrong: [string, string][] = [
      [`/feed?cursor=${edited}`, bob.token],
      [`/feed?cursor=${page.next_cursor}`, alice.token],
      [`/feed?cursor=${page.after}`, bob.token],
      [`/feed?cursor=${profile.next_cursor}`, bob.token],
      [`/accounts/${alice.id}/posts?cursor=${profile.next_cursor}`, bob.token],
      [`/accounts/${bob.id}/posts?cursor=${profile.next_cursor}`, alice.token],
      [`/accounts/${bob.id}/followers?cursor=${profile.next_cursor}`, bob.token],
      ['/feed?cursor=', bob.token],
      [`/feed?cursor=${'A'.repeat(5_000)}`, bob.token],
      ['/feed?cursor=%00', bob.token],
    ]
    for (const [path, as] of wrong) {
      const reply = await v1('GET', path, as)
      expect(reply.status).toBe(400)
      refused(reply, 'invalid_cursor', 'query.cursor')
    }
    refused(await v1('GET', `/feed?after=${page.next_cursor}`, bob.token), 'invalid_cursor', 'query.after')
    const both = await v1('GET', `/feed?after=${page.after}&cursor=${page.next_cursor}`, bob.token)
    refused(both, 'invalid_request', 'query.after')
  })
})

describe('ids', () => {
  it.each(['9007199254740993', 'abc', '-1', '0', '01', '1.0', '1e3', '%00', 'ext', 'EXT:bob'])(
    '%s',
    async (id) => {
      for (const path of [
        `/posts/${id}`,
        `/posts/${id}/receipt`,
        `/posts/${id}/likes`,
        `/posts/${id}/reposts`,
        `/posts/${id}/replies`,
        `/posts/${id}/thread`,
        `/accounts/${id}`,
        `/accounts/${id}/posts`,
      ]) {
        const reply = await v1('GET', path, alice.token)
        expect(reply.status).toBe(400)
        refused(reply, 'invalid_id', 'params.id')
      }
      const inBody = await v1('POST', '/posts/lookup', alice.token, { ids: ['1', decodeURIComponent(id)] })
      refused(inBody, 'invalid_id', '/ids/1')
      const reply = await v1('POST', '/posts', alice.token, {
        content: 'x',
        reply_to: decodeURIComponent(id),
      })
      refused(reply, 'invalid_id', '/reply_to')
      const token = await v1('POST', '/tokens', SERVER_KEY, { account_id: decodeURIComponent(id) })
      refused(token, 'invalid_id', '/account_id')
    },
  )

  it('external ones that are not valid', async () => {
    for (const id of ['ext:', 'ext:a%00b', `ext:${'x'.repeat(129)}`, 'ext:a%0Ab']) {
      const reply = await v1('GET', `/accounts/${id}`, alice.token)
      expect(reply.status).toBe(400)
      refused(reply, 'invalid_request', 'params.id')
    }
    expect((await v1('GET', '/accounts/ext:%ff', alice.token)).status).toBe(400)
    for (const id of [
      '',
      'a\0b',
      'x'.repeat(129),
      '👋'.repeat(129),
      'e\u0301'.repeat(65),
      'a\u009fb',
      '\ud800',
    ]) {
      const made = await v1('POST', '/accounts', SERVER_KEY, { external_id: id })
      refused(made, 'invalid_request', '/external_id')
    }
    const long = await v1('GET', `/accounts/ext:${encodeURIComponent('👋'.repeat(129))}`, alice.token)
    expect(long.status).toBeGreaterThanOrEqual(400)
  })

  it('of accounts that do not exist', async () => {
    for (const path of [
      '/posts/5',
      '/accounts/5',
      '/accounts/ext:nobody',
      '/accounts/5/followers',
      '/posts/5/receipt',
      '/posts/5/likes',
      '/posts/5/reposts',
      '/posts/5/replies',
      '/posts/5/thread',
    ])
      refused(await v1('GET', path, alice.token), 'not_found')
    refused(await v1('PUT', '/accounts/5/follow', alice.token), 'not_found')
    refused(await v1('POST', '/tokens', SERVER_KEY, { account_id: '5' }), 'not_found', '/account_id')
    refused(
      await v1('POST', '/posts', alice.token, { content: 'x', reply_to: '5' }),
      'not_found',
      '/reply_to',
    )
  })

  it('too many at once, or none', async () => {
    const ids = Array.from({ length: LIMITS.lookupIdsMax + 1 }, (_, i) => String(i + 1))
    refused(await v1('POST', '/posts/lookup', alice.token, { ids }), 'invalid_request', '/ids')
    refused(await v1('POST', '/posts/lookup', alice.token, { ids: [] }), 'invalid_request', '/ids')
    refused(await v1('POST', '/posts/lookup', alice.token, {}), 'invalid_request', '/ids')
  })
})

describe('people', () => {
  it('follow, block or mute themselves', async () => {
    for (const verb of ['follow', 'block', 'mute'])
      refused(await v1('PUT', `/accounts/${alice.id}/${verb}`, alice.token), `${verb}_self`)
  })

  it('follow who blocks them', async () => {
    const shy = await world.person('shy')
    await v1('PUT', `/accounts/${alice.id}/block`, shy.token)
    const reply = await v1('PUT', `/accounts/${shy.id}/follow`, alice.token)
    expect(reply.status).toBe(403)
    refused(reply, 'follow_refused')
  })

  it('repost what is not public, delete what is not theirs', async () => {
    const made = (await v1('POST', '/posts', bob.token, { content: 'x', visibility: 'followers' })).json
    await v1('PUT', `/accounts/${bob.id}/follow`, alice.token)
    refused(await v1('POST', '/posts', alice.token, { repost_of: made.id }), 'repost_refused')
    refused(await v1('DELETE', `/posts/${made.id}`, alice.token), 'forbidden')
  })

  it('have display names that cannot be seen', async () => {
    for (const display_name of [' ', '\u200b', '\u3164\u2800', 'x'.repeat(101), 'x' + '\u0301'.repeat(3_000)])
      refused(await v1('POST', '/accounts', SERVER_KEY, { display_name }), 'invalid_request', '/display_name')
  })

  it('have handles that are not valid', async () => {
    for (const handle of ['', 'a b', '.x', 'x'.repeat(31), 'é'])
      refused(await v1('POST', '/accounts', SERVER_KEY, { handle }), 'invalid_request', '/handle')
    const role = await v1('POST', '/accounts', SERVER_KEY, { handle: 'ok', role: 'admin', id: '1' })
    refused(role, 'invalid_request', '/role')
  })
})

describe('operators', () => {
  it.each<[object, string]>([
    [{ tier: 'none' }, '/tier'],
    [{}, '/tier'],
    [{ tier: 'push', push_share: 9 }, '/push_share'],
    [{ tier: 'push', push_share: 1.5 }, '/push_share'],
    [{ tier: 'push', push_share: '4' }, '/push_share'],
  ])('tier %j', async (body, path) => {
    refused(await v1('PUT', `/admin/tiers/${bob.id}`, SERVER_KEY, body), 'invalid_request', path)
  })

  it.each<[object, string]>([
    [{ push_threshold_followers: -1 }, '/push_threshold_followers'],
    [{ inactive_days: 0 }, '/inactive_days'],
    [{ inactive_days: 1, active_hours: 25 }, '/active_hours'],
    [{ nonsense: 1 }, '/nonsense'],
    [{}, ''],
  ])('policy %j', async (body, path) => {
    refused(await v1('PATCH', '/admin/policy', SERVER_KEY, body), 'invalid_request', path)
  })

  it('a policy that contradicts the current one', async () => {
    const patch = (body: object) => v1('PATCH', '/admin/policy', SERVER_KEY, body)
    refused(await patch({ active_hours: 30 * 24 + 1 }), 'conflict', '/active_hours')
    await patch({ active_hours: 48 })
    refused(await patch({ inactive_days: 1 }), 'conflict', '/inactive_days')
    expect((await patch({ active_hours: 24, inactive_days: 1 })).status).toBe(200)
    await patch({ inactive_days: 30 })
  })
})

describe('addresses and methods', () => {
  it('that do not exist', async () => {
    for (const path of [
      '/index.html',
      '/api/v1',
      '/api/v1/nothing',
      '/api/v2/feed',
      '/api/v1/feed/',
      '/.env',
    ])
      refused(await world.call('GET', path), 'not_found')
    refused(await world.call('POST', '/nothing', { raw: 'not json' }), 'not_found')
    refused(await world.call('GET', '/api/v1/accounts/%zz'), 'invalid_request')
  })

  it('have time limits', () => {
    const { server } = world.api.app
    expect(server.headersTimeout).toBe(10_000)
    expect(server.requestTimeout).toBe(30_000)
    // A client that stops in the middle of a request gets its answer before the connection is cut.
    expect(server.timeout).toBeGreaterThan(server.requestTimeout + 2_000)
    expect(server.maxConnections).toBeGreaterThan(0)
  })

  it('that ask for the head alone', async () => {
    const head = await world.call('HEAD', '/api/v1/feed', { as: alice.token })
    expect([head.status, head.text]).toEqual([200, ''])
    expect(Number(head.headers.get('content-length'))).toBeGreaterThan(0)
  })
})

describe('request ids', () => {
  it('are taken over when harmless', async () => {
    const given = await world.call('GET', '/api/v1/feed', { headers: { 'x-request-id': 'abc.DEF_1-2:3' } })
    expect(given.json.request_id).toBe('abc.DEF_1-2:3')
    expect(given.headers.get('x-request-id')).toBe('abc.DEF_1-2:3')
    for (const bad of ['a b', '<script>', 'x'.repeat(65)]) {
      const own = await world.call('GET', '/api/v1/feed', { headers: { 'x-request-id': bad } })
      expect(own.json.request_id).not.toBe(bad)
      expect(own.json.request_id).toBe(own.headers.get('x-request-id'))
    }
  })
})
