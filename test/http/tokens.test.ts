/** Tokens that must be refused, and the server key. */

import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTokens } from '../../src/http/tokens.ts'
import { createSimulatedEnv } from '../../src/ports/env/simulated.ts'
import { createWorld, SERVER_KEY, TOKEN_SECRET, type Person, type World } from './world.ts'

let world: World
let alice: Person

beforeAll(async () => {
  world = await createWorld()
  alice = await world.person('alice')
})
afterAll(() => world.close())

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Makes a token with any header, claims and key. */
function forge(header: object, claims: object, key: Uint8Array = TOKEN_SECRET, hash = 'sha256'): string {
  const signed = `${part(header)}.${part(claims)}`
  return `${signed}.${createHmac(hash, key).update(signed).digest('base64url')}`
}

const HEADER = { alg: 'HS256', typ: 'rivulet-account+jwt' }
const nowSeconds = () => Math.floor(Date.now() / 1_000)
const claims = (change: object = {}) => ({
  iss: 'rivulet',
  aud: 'rivulet-api',
  sub: alice.id,
  iat: nowSeconds(),
  exp: nowSeconds() + 60,
  ...change,
})
const feed = (authorization: string) => world.call('GET', '/api/v1/feed', { headers: { authorization } })

describe('a token', () => {
  it('made as Rivulet makes them is accepted, again and again', async () => {
    const token = `Bearer ${forge(HEADER, claims())}`
    for (let again = 0; again < 2; again++) expect((await feed(token)).status).toBe(200)
  })

  it.each<[string, () => string]>([
    ['unsigned', () => `${part({ ...HEADER, alg: 'none' })}.${part(claims())}.`],
    ['unsigned, in capitals', () => `${part({ ...HEADER, alg: 'NONE' })}.${part(claims())}.`],
    ['of another algorithm', () => forge({ ...HEADER, alg: 'HS512' }, claims(), TOKEN_SECRET, 'sha512')],
    ['that says RS256', () => forge({ ...HEADER, alg: 'RS256' }, claims())],
    ['of another key', () => forge(HEADER, claims(), new Uint8Array(32).fill(1))],
    ['of the server key', () => forge(HEADER, claims(), Buffer.from(SERVER_KEY))],
    [
      'with a key to fetch',
      () => forge({ ...HEADER, jku: 'https://evil/', kid: '../../dev/null' }, claims(), new Uint8Array(32)),
    ],
    ['with a critical extension', () => forge({ ...HEADER, crit: ['x'], x: 1 }, claims())],
    ['of another type', () => forge({ ...HEADER, typ: 'JWT' }, claims())],
    ['of no type', () => forge({ alg: 'HS256' }, claims())],
    ['expired', () => forge(HEADER, claims({ exp: nowSeconds() - 1 }))],
    ['not valid yet', () => forge(HEADER, claims({ nbf: nowSeconds() + 60 }))],
    ['without an end', () => forge(HEADER, claims({ exp: undefined }))],
    ['with an end that is text', () => forge(HEADER, claims({ exp: '9999999999' }))],
    ['without a beginning', () => forge(HEADER, claims({ iat: undefined }))],
    ['without a subject', () => forge(HEADER, claims({ sub: undefined }))],
    ['for a subject that is no id', () => forge(HEADER, claims({ sub: 'ext:alice' }))],
    ['for nobody', () => forge(HEADER, claims({ sub: '5' }))],
    ['for another audience', () => forge(HEADER, claims({ aud: 'other' }))],
    ['of another issuer', () => forge(HEADER, claims({ iss: 'other' }))],
    ['with its end cut off', () => alice.token.slice(0, -2)],
    ['with other claims', () => alice.token.replace(/\.[^.]+\./, `.${part(claims({ sub: '7' }))}.`)],
    ['too long', () => 'x'.repeat(5_000)],
    ['empty', () => ''],
  ])('%s is refused', async (_name, token) => {
    const reply = await feed(`Bearer ${token()}`)
    expect(reply.status).toBe(401)
    expect(reply.json.code).toBe('unauthorized')
    expect(reply.headers.get('www-authenticate')).toBe('Bearer realm="rivulet", error="invalid_token"')
  })

  it('in another scheme, or in the address, is not accepted', async () => {
    for (const scheme of ['Basic', 'Token', 'DPoP'])
      expect((await feed(`${scheme} ${alice.token}`)).status).toBe(401)
    const bare = await world.call('GET', `/api/v1/feed?access_token=${alice.token}`)
    expect(bare.status).toBe(401)
    expect(bare.headers.get('www-authenticate')).toBe('Bearer realm="rivulet"')
  })

  it('is refused once it expires, even if it was cached', async () => {
    const env = createSimulatedEnv({ seed: 1, startMs: Date.now() })
    const timed = await createWorld({ env, tokenTtlMs: 10_000 })
    const person = await timed.person('timed')
    const ask = () => timed.call('GET', '/api/v1/feed', { as: person.token })
    expect((await ask()).status).toBe(200)
    env.jumpWall(9_000)
    expect((await ask()).status).toBe(200)
    env.jumpWall(1_000)
    expect((await ask()).status).toBe(401)
    expect((await ask()).status).toBe(401)
    await timed.close()
  })

  it('needs a secret that is long enough', () => {
    const env = createSimulatedEnv({ seed: 1, startMs: 0 })
    expect(() => createTokens({ env, secret: new Uint8Array(31), ttlMs: 1 })).toThrow(/32 bytes/)
  })
})

describe('the server key', () => {
  it('is compared whole', async () => {
    for (const key of [SERVER_KEY.slice(0, -1), `${SERVER_KEY}x`, SERVER_KEY.toUpperCase()])
      expect((await feed(`Bearer ${key}`)).status).toBe(401)
  })

  it('acts for an account, as that account', async () => {
    const acting = (method: string, path: string, account: string, body?: unknown) =>
      world.call(method, `/api/v1${path}`, { as: SERVER_KEY, body, headers: { 'rivulet-account': account } })
    const made = await acting('POST', '/posts', alice.id, {
      content: 'By the application.',
      visibility: 'self',
    })
    expect(made.json).toMatchObject({ author: { id: alice.id }, viewer: { own: true } })
    const other = await world.person('other')
    expect((await acting('GET', `/posts/${made.json.id}`, 'ext:other')).status).toBe(404)
    expect((await acting('GET', '/admin/policy', other.id)).status).toBe(403)
    expect((await acting('GET', '/feed', '5')).json).toMatchObject({ status: 404, code: 'not_found' })
    expect((await acting('GET', '/feed', 'nonsense')).json).toMatchObject({
      code: 'invalid_id',
      errors: [{ path: 'header.rivulet-account' }],
    })
  })

  it('is needed for acting for an account: a token cannot', async () => {
    const reply = await world.call('GET', '/api/v1/feed', {
      as: alice.token,
      headers: { 'rivulet-account': alice.id },
    })
    expect(reply.status).toBe(403)
  })
})
