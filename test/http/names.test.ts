/** An external id may hold almost any text; addresses, headers and bodies write it in the same way. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LIMITS } from '../../src/core/limits.ts'
import { createWorld, SERVER_KEY, type World } from './world.ts'

let world: World

beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.close())

const server = (method: string, path: string, body?: unknown) =>
  world.call(method, `/api/v1${path}`, { as: SERVER_KEY, body })
/** A request with this value of `Rivulet-Account`; it may hold raw bytes, one per character. */
const acting = (account: string, method = 'GET', path = '/feed', body?: unknown) =>
  world.call(method, `/api/v1${path}`, { as: SERVER_KEY, body, headers: { 'rivulet-account': account } })
const bytesOf = (text: string) => Buffer.from(text).toString('latin1')

const NAMES = [
  'plain',
  'a/b',
  '/',
  '50%',
  '%',
  '%41',
  '%2F',
  '%25',
  '%zz',
  'what?',
  'a=b&c=d',
  'one#two',
  'a b',
  ' spaces around ',
  'a+b',
  'a;b',
  'a,b:c@d',
  'ext:inside',
  'ext:',
  '..',
  '"quoted"',
  'back\\slash',
  'ü',
  '日本',
  '👩‍👩‍👧',
  'e\u0301',
  '\ufeffbom',
  '🦊'.repeat(LIMITS.externalIdCodePointsMax),
  '日'.repeat(LIMITS.externalIdCodePointsMax),
  '%'.repeat(LIMITS.externalIdCodePointsMax),
]

describe('an external id', () => {
  it.each(NAMES)('%j is one and the same everywhere', async (name) => {
    const path = `/accounts/${encodeURIComponent(`ext:${name}`)}`
    const made = await server('PUT', path, { display_name: 'Named' })
    expect([made.status, made.json.external_id]).toEqual([201, name])
    const { id } = made.json
    expect((await server('GET', path)).json.id).toBe(id)
    expect((await server('PUT', path, {})).status).toBe(200)
    expect((await server('POST', '/tokens', { account_id: `ext:${name}` })).status).toBe(201)
    const again = await server('POST', '/accounts', { external_id: name })
    expect(again.json.code).toBe('external_id_taken')
    // In the header, all of it may be encoded, or the name alone.
    for (const header of [encodeURIComponent(`ext:${name}`), `ext:${encodeURIComponent(name)}`]) {
      const post = await acting(header, 'POST', '/posts', { content: 'Mine.', visibility: 'self' })
      expect([post.status, post.json.author.id]).toEqual([201, id])
    }
  })

  it.each(['ü', '日本', '👩‍👩‍👧', 'a/b'])('%j in the header may be bare UTF-8', async (name) => {
    await server('PUT', `/accounts/${encodeURIComponent(`ext:${name}`)}`, {})
    expect((await acting(bytesOf(`ext:${name}`))).status).toBe(200)
  })

  it.each([
    ['a percent sign that encodes nothing', 'ext:50%off'],
    ['a percent sign at the end', 'ext:50%'],
    ['half an encoded character', 'ext:%C3'],
    ['encoded bytes that are not UTF-8', 'ext:%ff%fe'],
    ['an encoded half of a pair', 'ext:%ED%A0%80'],
    ['an overlong encoding', 'ext:%C0%AF'],
    ['bytes that are not UTF-8', 'ext:\xfc'],
    ['an encoded NUL', 'ext:a%00b'],
    ['an encoded line feed', 'ext:a%0Ab'],
    ['nothing', 'ext:'],
    ['129 characters', `ext:${'x'.repeat(129)}`],
    ['129 encoded characters', `ext:${'%C3%BC'.repeat(129)}`],
  ])('is not made of %s', async (_name, header) => {
    const reply = await acting(header)
    expect(reply.json).toMatchObject({
      status: 400,
      code: 'invalid_request',
      errors: [{ path: 'header.rivulet-account' }],
    })
  })

  it('has at most 128 characters, however wide they are, wherever it stands', async () => {
    for (const character of ['x', 'ü', '🦊']) {
      const long = character.repeat(LIMITS.externalIdCodePointsMax + 1)
      const reply = await server('PUT', `/accounts/ext:${encodeURIComponent(long)}`, {})
      expect([reply.status, reply.json.code]).toEqual([400, 'invalid_request'])
      expect((await server('POST', '/accounts', { external_id: long })).json.errors[0].path).toBe(
        '/external_id',
      )
      expect((await server('POST', '/tokens', { account_id: `ext:${long}` })).json.errors[0].path).toBe(
        '/account_id',
      )
    }
  })
})
