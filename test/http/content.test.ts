/** The types that a body may have; an empty body counts as none, whatever its type. */

import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createWorld, SERVER_KEY, type Person, type World } from './world.ts'

let world: World
let alice: Person
let bob: Person

beforeAll(async () => {
  world = await createWorld()
  alice = await world.person('alice')
  bob = await world.person('bob')
})
afterAll(() => world.close())

type Framing = 'announced' | 'chunked' | 'unannounced'

/** A request as raw text, so that no client library changes its headers. */
function requestOf(
  method: string,
  path: string,
  { as = alice.token, type = '', body = '', framing = 'announced', more = [] }: Sending = {},
): string {
  const length = Buffer.byteLength(body, 'latin1')
  const frames: Record<Framing, string[]> = {
    announced: [`content-length: ${length}`],
    chunked: ['transfer-encoding: chunked'],
    unannounced: [],
  }
  const head = [
    `${method} /api/v1${path} HTTP/1.1`,
    'host: x',
    `authorization: Bearer ${as}`,
    ...(type === '' ? [] : [`content-type: ${type}`]),
    ...frames[framing],
    ...more,
  ]
  const chunk = body === '' ? '' : `${length.toString(16)}\r\n${body}\r\n`
  return `${head.join('\r\n')}\r\n\r\n${framing === 'chunked' ? `${chunk}0\r\n\r\n` : body}`
}

interface Sending {
  readonly as?: string
  readonly type?: string
  readonly body?: string
  readonly framing?: Framing
  readonly more?: readonly string[]
}

const LAST = 'GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'

/** The statuses of requests on one connection. The last request is good, to show that the connection was not cut. */
async function statusesOf(...requests: string[]): Promise<number[]> {
  const text = await world.raw(requests.join('') + LAST)
  return [...text.matchAll(/^HTTP\/1\.1 (\d+)|(?<=})HTTP\/1\.1 (\d+)/gm)].map(([, a, b]) => Number(a ?? b))
}

const OTHERS = [
  'application/x-www-form-urlencoded',
  'text/plain',
  'text/plain;charset=UTF-8',
  'application/octet-stream',
  'multipart/form-data; boundary=x',
  'application/xml',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/problem+json',
  'application/vnd.api+json',
  'application/jsonl',
  'text/json',
  'application/*',
  'json',
  'nonsense',
  '/',
  'application/',
  'application/json, application/json',
  'application/json application/json',
]
const OTHER_CHARSETS = [
  'application/json; charset=latin1',
  'application/json; charset=ISO-8859-1',
  'application/json;charset="iso-8859-1"',
  'Application/JSON; CHARSET=UTF-16',
  'application/json; charset=utf-16le',
  'application/json; charset=utf-7',
  'application/json; charset=windows-1252',
  'application/json; profile="a;b"; charset="shift_jis"',
]
const GOOD = [
  'application/json',
  'Application/JSON',
  'application/json;charset=utf-8',
  'application/json; charset=UTF-8',
  'application/json; charset="utf-8"',
  'application/json ; charset=utf8',
  'application/json; charset=US-ASCII',
  'application/json;',
  'application/json; profile="https://example.com/x;charset=latin1"',
  'application/json; odata=verbose; charset=utf-8',
]
const FRAMINGS: Framing[] = ['announced', 'chunked']

describe('no body', () => {
  it.each(['', ...OTHERS, ...OTHER_CHARSETS, ...GOOD])('with the type %j counts as none', async (type) => {
    for (const framing of ['announced', 'chunked', 'unannounced'] as const) {
      const put = requestOf('PUT', `/accounts/${bob.id}/mute`, { type, framing })
      const remove = requestOf('DELETE', `/accounts/${bob.id}/mute`, { type, framing })
      const post = requestOf('POST', '/posts', { type, framing })
      expect(await statusesOf(put, remove, post), framing).toEqual([200, 200, 400, 200])
    }
  })

  it('counts as none when the headers say that it is compressed', async () => {
    const packed = { type: 'application/octet-stream', more: ['content-encoding: gzip'] }
    expect(await statusesOf(requestOf('PUT', `/accounts/${bob.id}/mute`, packed))).toEqual([200, 200])
  })

  it('is the same request under an idempotency key, whatever its type', async () => {
    const once = (type: string) =>
      requestOf('PUT', `/accounts/${bob.id}/mute`, { type, more: ['idempotency-key: empty'] })
    // One after the other, because a repeat during the first request is refused.
    for (const type of ['text/plain', 'application/json', ''])
      expect(await statusesOf(once(type))).toEqual([200, 200])
  })
})

describe('a body', () => {
  const body = '{"content":"x"}'

  it.each([...OTHERS, ...OTHER_CHARSETS, ''])('with the type %j is refused', async (type) => {
    for (const framing of FRAMINGS) {
      const request = requestOf('POST', '/posts', { type, body, framing })
      expect(await statusesOf(request, request), framing).toEqual([415, 415, 200])
    }
    const reply = await world.raw(requestOf('POST', '/posts', { type, body }) + LAST)
    expect(reply).toContain('"code":"unsupported_media_type"')
  })

  it.each(GOOD)('with the type %j is read', async (type) => {
    for (const framing of FRAMINGS) {
      const request = requestOf('POST', '/posts', { type, body, framing })
      expect(await statusesOf(request), framing).toEqual([201, 200])
    }
  })

  it('that is compressed is refused', async () => {
    const packed = gzipSync(body).toString('latin1')
    for (const framing of FRAMINGS) {
      const more = ['content-encoding: gzip']
      const request = requestOf('POST', '/posts', { type: 'application/json', body: packed, framing, more })
      expect(await statusesOf(request), framing).toEqual([415, 200])
    }
    const twice = requestOf('POST', '/posts', { type: 'application/json', body, framing: 'chunked' })
    expect(await statusesOf(twice.replace('chunked', 'gzip, chunked'))).toEqual([415, 200])
  })

  it('of another type is refused only after the caller is identified', async () => {
    const request = requestOf('POST', '/posts', { as: 'nobody', type: 'text/plain', body })
    expect(await statusesOf(request)).toEqual([401, 200])
  })

  it('of any type is ignored where the route takes none', async () => {
    const request = requestOf('GET', `/accounts/${bob.id}`, { as: SERVER_KEY, type: 'text/plain', body })
    expect(await statusesOf(request)).toEqual([200, 200])
  })

  it('that is not JSON does not end the connection', async () => {
    const broken = requestOf('POST', '/posts', { type: 'application/json', body: '{' })
    expect(await statusesOf(broken, broken)).toEqual([400, 400, 200])
  })
})
