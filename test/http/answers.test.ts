/** Headers of answers: declared ones are sent and described, and none can carry more than its value. */

import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { created, ok, type Router } from '../../src/http/route.ts'
import type { OpenApi } from './contract.ts'
import { createDomain, request, tokenOf, type Domain } from './domain.ts'

const ORIGIN = 'https://app.test'
const common = { tag: 'tests', summary: 'S', access: 'authenticated' } as const
const Thing = Type.Object({ id: Type.String() })
const headers = { location: 'Where the thing is.', etag: 'Its version.', vary: 'What it depends on.' }
const To = Type.Object({ to: Type.String() }, { additionalProperties: false })

let domain: Domain
let writes = 0

function define(router: Router, remember: Domain['remember']): void {
  const made = (to: string, id: number) =>
    created({ id: String(id) }, { location: `/things/${to}`, etag: `"${id}"` })
  router.write({
    ...common,
    method: 'POST',
    path: '/things',
    name: 'createThing',
    body: To,
    headers,
    answers: { 201: Thing },
    async run({ body }, once) {
      const id = ++writes
      await remember(once, id)
      return made(body.to, id)
    },
    replay: async ({ body }, eventId) => made(body.to, eventId),
  })
  router.read({
    ...common,
    method: 'GET',
    path: '/go',
    name: 'go',
    query: To,
    headers,
    answers: { 303: Type.Null() },
    answer: ({ query }) => ({ status: 303, headers: { location: query.to, vary: 'accept' } }),
  })
  router.read({
    ...common,
    method: 'GET',
    path: '/more',
    name: 'more',
    answers: { 200: Thing },
    answer: () => ok({ id: '1' }, { 'x-more': '1' }),
  })
}

beforeAll(async () => {
  const options = { corsOrigins: [ORIGIN] }
  domain = await createDomain((router, { remember }) => define(router, remember), options)
})
afterAll(() => domain.close())

function ask(method: string, path: string, body?: object, more: Record<string, string> = {}) {
  return fetch(`${domain.url}/api/v1${path}`, {
    method,
    redirect: 'manual',
    headers: {
      authorization: `Bearer ${tokenOf(1)}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...more,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}

describe('headers of an answer', () => {
  it('are sent, also with the answer to a repeat', async () => {
    const key = { 'idempotency-key': 'once' }
    const first = await ask('POST', '/things', { to: 'a' }, key)
    expect([first.status, first.headers.get('location'), first.headers.get('etag')]).toEqual([
      201,
      '/things/a',
      '"1"',
    ])
    for (let n = 0; n < 2; n++) {
      const repeat = await ask('POST', '/things', { to: 'a' }, key)
      expect(repeat.headers.get('idempotency-replayed')).toBe('true')
      expect([repeat.headers.get('location'), repeat.headers.get('etag')]).toEqual(['/things/a', '"1"'])
      expect(await repeat.json()).toEqual({ id: '1' })
    }
    expect(writes).toBe(1)
  })

  it('can be read by pages of other origins, and join what is there', async () => {
    const reply = await ask('GET', `/go?to=${encodeURIComponent('/there')}`, undefined, { origin: ORIGIN })
    expect([reply.status, reply.headers.get('location'), await reply.text()]).toEqual([303, '/there', ''])
    expect(reply.headers.get('content-type')).toBeNull()
    expect(reply.headers.get('vary')).toBe('origin, accept')
    expect(reply.headers.get('access-control-expose-headers')).toMatch(/x-request-id.*, location, vary$/)
  })

  it('are described with each answer', () => {
    const { paths } = domain.app.swagger() as unknown as OpenApi
    expect(paths['/api/v1/things'].post.responses['201']).toMatchObject({
      headers: { location: { description: 'Where the thing is.', schema: { type: 'string' } } },
    })
    expect(paths['/api/v1/go'].get.responses['303']).toMatchObject({ headers: { etag: {} } })
    expect(paths['/api/v1/more'].get.responses['200']).not.toHaveProperty('headers')
  })

  it('that the route does not declare stay away; the log names them', async () => {
    const reply = await ask('GET', '/more')
    expect([reply.status, reply.headers.get('x-more')]).toEqual([200, null])
    expect(domain.logged).toContainEqual(expect.objectContaining({ level: 50, header: 'x-more' }))
  })

  it.each(['content-length', 'connection', 'access-control-allow-origin', 'Location', 'a b', 'a:b'])(
    'named %s cannot be declared',
    async (name) => {
      const wrong = createDomain((router) =>
        router.read({
          ...common,
          method: 'GET',
          path: '/x',
          name: 'x',
          headers: { [name]: 'x' },
          answers: { 200: Thing },
          answer: () => ok({ id: '1' }),
        }),
      )
      await expect(wrong).rejects.toMatchObject({ code: 'internal' })
    },
  )
})

describe('text from a request that would add a header', () => {
  const ATTEMPTS = [
    '/\r\nset-cookie: a=b',
    '/\nset-cookie: a=b',
    '/\r\r\n\r\n<html>',
    '/\0',
    '/\x7f',
    '/日本',
    '/\x85',
  ]

  it.each(ATTEMPTS)('is refused by a read: %j', async (to) => {
    const reply = await ask('GET', `/go?to=${encodeURIComponent(to)}`)
    expect(reply.headers.get('set-cookie')).toBeNull()
    expect(reply.headers.get('location')).toBeNull()
    expect([reply.status, (await reply.json()) as object]).toMatchObject([400, { code: 'invalid_request' }])
  })

  it.each(ATTEMPTS)('is left out of the answer to a write, which is done: %j', async (to) => {
    const before = writes
    const reply = await ask('POST', '/things', { to })
    expect([reply.status, reply.headers.get('set-cookie'), reply.headers.get('location')]).toEqual([
      201,
      null,
      null,
    ])
    expect(reply.headers.get('etag')).toBe(`"${writes}"`)
    expect(writes).toBe(before + 1)
    expect(domain.logged.at(-2)).toMatchObject({ level: 50, header: 'location' })
  })

  it('adds nothing on the wire', async () => {
    const attempt = request(
      'GET',
      '/go?to=%0d%0aset-cookie:%20a=b%0d%0a%0d%0aHTTP/1.1%20200%20OK',
      `authorization: Bearer ${tokenOf(1)}`,
      'connection: close',
    )
    const text = await domain.dial(attempt).closed()
    expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1)
    expect(text).not.toContain('set-cookie')
  })
})
