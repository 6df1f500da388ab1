/** Routes that take the exact bytes of a body, routes for everybody, and the limits of both. */

import { createHmac } from 'node:crypto'
import Type from 'typebox'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { unauthorized } from '../../src/http/tokens.ts'
import type { RawCall, Router } from '../../src/http/route.ts'
import type { OpenApi } from './contract.ts'
import { createDomain, KEY, request, tokenOf, type Domain } from './domain.ts'

const BYTES_MAX = 1_000
const SECRET = 'shared-with-the-provider'
const signatureOf = (bytes: Uint8Array | string) => createHmac('sha256', SECRET).update(bytes).digest('hex')

let domain: Domain
let got: RawCall[] = []

const common = { tag: 'tests', summary: 'S' } as const

function define(router: Router): void {
  const accept = (call: RawCall) => {
    got.push(call)
    return { status: 204 }
  }
  const raw = { ...common, method: 'POST', bodyBytesMax: BYTES_MAX, answers: { 204: Type.Null() } } as const
  router.raw({
    ...raw,
    path: '/callbacks/:provider',
    name: 'takeCallback',
    access: 'public',
    params: { provider: Type.String() },
    types: ['application/json', 'application/x-www-form-urlencoded'],
    takes: ['x-signature', 'content-type'],
    problems: ['unauthorized'],
    answer(call) {
      if (call.headers['x-signature'] !== signatureOf(call.body)) throw unauthorized()
      return accept(call)
    },
  })
  router.raw({
    ...raw,
    path: '/any',
    name: 'takeAny',
    access: 'server',
    types: 'any',
    takes: [],
    answer: accept,
  })
  router.raw({
    ...raw,
    path: '/few',
    name: 'takeFew',
    access: 'public',
    types: 'any',
    takes: [],
    perMinute: 2,
    answer: accept,
  })
  router.read({
    ...common,
    method: 'GET',
    path: '/leave/:token',
    name: 'leave',
    access: 'public',
    params: { token: Type.String() },
    headers: { 'content-type': 'Always HTML.' },
    answers: {
      200: { description: 'A page.', content: { 'text/html': { schema: Type.String() } } },
    },
    answer: ({ params, caller }) => ({
      status: 200,
      headers: { 'content-type': 'text/html; charset=utf-8' },
      body: Buffer.from(`<p>${params['token']} ${JSON.stringify(caller)}</p>`),
    }),
  })
  router.read({
    ...common,
    method: 'GET',
    path: '/servers',
    name: 'servers',
    access: 'server',
    answers: { 200: Type.Object({}) },
    answer: () => ({ status: 200, body: {} }),
  })
}

beforeEach(async () => {
  got = []
  domain = await createDomain(define, { rates: { read: 5, write: 10 } })
})
afterEach(() => domain.close())

async function send(
  path: string,
  body: string | Uint8Array | undefined,
  headers: Record<string, string> = {},
) {
  const init = { method: 'POST', headers, ...(body === undefined ? {} : { body }) }
  const answer = await fetch(`${domain.url}/api/v1${path}`, init)
  const text = await answer.text()
  return {
    status: answer.status,
    headers: answer.headers,
    json: text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>),
  }
}

describe('a raw route', () => {
  const JSON_BODY = '{ "twice": 1,\r\n "twice" : 2 , "big": 12345678901234567890 }'
  it.each<[string, string | Buffer, string]>([
    ['JSON as it was written', JSON_BODY, 'application/json'],
    ['JSON with a charset', JSON_BODY, 'Application/JSON; charset=iso-8859-1'],
    ['what is no JSON', '{', 'application/json'],
    ['a form', 'a=1&b=%20+&a=2', 'application/x-www-form-urlencoded'],
    ['bytes that are no text', Buffer.from([0, 255, 254, 13, 10, 128]), 'application/json'],
    ['as many bytes as it takes', 'x'.repeat(BYTES_MAX), 'application/json'],
  ])('gets %s', async (_name, body, type) => {
    const headers = { 'content-type': type, 'x-signature': signatureOf(body), 'x-other': 'secret' }
    const reply = await send('/callbacks/acme?a=%20b&c', body, headers)
    expect(reply.status).toBe(204)
    expect(reply.headers.get('content-type')).toBeNull()
    const [call] = got
    expect(call.body.equals(Buffer.from(body))).toBe(true)
    expect(call.headers).toEqual({ 'x-signature': headers['x-signature'], 'content-type': type })
    expect(call).toMatchObject({
      target: '/api/v1/callbacks/acme?a=%20b&c',
      params: { provider: 'acme' },
      caller: { account: undefined, application: false },
    })
  })

  it('gets the bytes of chunks joined, and no bytes where there is no body', async () => {
    const chunked = (body: string, ...chunks: string[]) =>
      request(
        'POST',
        '/callbacks/acme',
        'content-type: application/json',
        `x-signature: ${signatureOf(body)}`,
        'transfer-encoding: chunked',
        'connection: close',
      ) +
      chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('') +
      '0\r\n\r\n'
    expect(await domain.dial(chunked('{"a":1}', '{"a"', ':1}')).closed()).toContain('HTTP/1.1 204')
    expect(await domain.dial(chunked('')).closed()).toContain('HTTP/1.1 204')
    expect((await send('/callbacks/acme', undefined, { 'x-signature': signatureOf('') })).status).toBe(204)
    expect(got.map(({ body }) => body.toString())).toEqual(['{"a":1}', '', ''])
  })

  it('refuses other types and compressed bodies, whatever their form', async () => {
    const refused = async (headers: Record<string, string>) =>
      (await send('/callbacks/acme', 'x', { 'x-signature': signatureOf('x'), ...headers })).json
    const unsupported = { status: 415, code: 'unsupported_media_type' }
    for (const type of ['text/plain', 'application/xml', 'multipart/form-data; boundary=x', 'json', ';;'])
      expect(await refused({ 'content-type': type })).toMatchObject(unsupported)
    const packed = { 'content-type': 'application/json', 'content-encoding': 'gzip' }
    expect(await refused(packed)).toMatchObject(unsupported)
    const chunked = request(
      'POST',
      '/callbacks/acme',
      'content-type: text/plain',
      'transfer-encoding: chunked',
      'connection: close',
    )
    expect(await domain.dial(`${chunked}1\r\nx\r\n0\r\n\r\n`).closed()).toContain('HTTP/1.1 415')
    expect(got).toEqual([])
  })

  it('refuses a body above its own limit, announced or not, and names that limit', async () => {
    const large = 'x'.repeat(BYTES_MAX + 1)
    const signed = { 'x-signature': signatureOf(large), 'content-type': 'application/json' }
    const announced = await send('/callbacks/acme', large, signed)
    expect(announced.json).toMatchObject({ status: 413, code: 'payload_too_large' })
    expect(announced.json?.['detail']).toContain(` ${BYTES_MAX} bytes`)
    const head = request(
      'POST',
      '/callbacks/acme',
      'content-type: application/json',
      'transfer-encoding: chunked',
    )
    const chunk = `${(600).toString(16)}\r\n${'x'.repeat(600)}\r\n`
    const client = domain.dial(head + chunk + chunk)
    await client.sees('"code":"payload_too_large"')
    client.socket.destroy()
    expect(got).toEqual([])
  })

  it('that takes any type takes bodies without one, of callers whom it knows', async () => {
    const as = (key: string) => ({ authorization: `Bearer ${key}` })
    for (const headers of [{}, { 'content-type': ';;' }, { 'content-type': 'image/png' }]) {
      const bytes = Buffer.from([1, 2, 3])
      expect((await send('/any', bytes, { ...as(KEY), ...headers })).status).toBe(204)
    }
    expect(got.map(({ body }) => body.length)).toEqual([3, 3, 3])
    expect((await send('/any', 'x')).status).toBe(401)
    expect((await send('/any', 'x', as(tokenOf(1)))).status).toBe(403)
    expect((await send('/any', 'x', { ...as(KEY), 'rivulet-account': '5' })).status).toBe(403)
  })

  it('has no idempotency, and says what it refuses itself', async () => {
    const headers = { 'content-type': 'application/json', 'x-signature': 'forged' }
    expect((await send('/callbacks/acme', '{}', headers)).json).toMatchObject({ code: 'unauthorized' })
    const good = { ...headers, 'x-signature': signatureOf('{}'), 'idempotency-key': 'same' }
    for (let n = 0; n < 2; n++) expect((await send('/callbacks/acme', '{}', good)).status).toBe(204)
    expect(got).toHaveLength(2)
  })

  it('is described', () => {
    const { paths } = domain.app.swagger() as unknown as OpenApi
    const { requestBody, responses, parameters, security } = paths['/api/v1/callbacks/{provider}'].post
    expect(Object.keys(requestBody?.content ?? {})).toEqual([
      'application/json',
      'application/x-www-form-urlencoded',
    ])
    expect(Object.keys(responses)).toEqual(expect.arrayContaining(['204', '401', '413', '415', '429']))
    expect(parameters?.map(({ name }) => name)).toEqual(['provider', 'x-signature'])
    expect(security).toEqual([])
    expect(paths['/api/v1/any'].post.requestBody?.content).toHaveProperty(['*/*'])
  })
})

describe('a route for everybody', () => {
  it('knows no caller, and does not look at tokens', async () => {
    for (const authorization of ['', 'Bearer wrong', `Bearer ${KEY}`, 'Basic eDp5']) {
      const headers: Record<string, string> = authorization === '' ? {} : { authorization }
      const answer = await fetch(`${domain.url}/api/v1/leave/me`, { headers })
      expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
      expect(await answer.text()).toBe('<p>me {"application":false}</p>')
    }
  })

  it('is limited by the address of the socket, whatever X-Forwarded-For says', async () => {
    const ask = (n: number) =>
      fetch(`${domain.url}/api/v1/leave/me`, { headers: { 'x-forwarded-for': `203.0.113.${n}` } })
    const answers = []
    for (let n = 0; n < 6; n++) answers.push(await ask(n))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 429])
    expect(await answers[5].json()).toMatchObject({ code: 'rate_limited', retriable: true })
    expect(answers[4].headers.get('ratelimit-remaining')).toBe('0')
    domain.clock.advance(60_000)
    expect((await ask(7)).status).toBe(200)
  })

  it('may have a limit of its own, which counts apart', async () => {
    expect([await send('/few', 'x'), await send('/few', 'x')].map(({ status }) => status)).toEqual([204, 204])
    const refused = await send('/few', 'x')
    expect(refused.json).toMatchObject({ code: 'rate_limited' })
    expect(refused.headers.get('ratelimit-limit')).toBe('2')
    const other = { 'content-type': 'application/json', 'x-signature': signatureOf('{}') }
    expect((await send('/callbacks/acme', '{}', other)).headers.get('ratelimit-remaining')).toBe('9')
  })
})

it('a route for the server takes the key alone', async () => {
  const ask = async (headers: Record<string, string>) =>
    (await fetch(`${domain.url}/api/v1/servers`, { headers })).status
  expect(await ask({ authorization: `Bearer ${KEY}` })).toBe(200)
  expect(await ask({ authorization: `Bearer ${KEY}`, 'rivulet-account': '5' })).toBe(403)
  expect(await ask({ authorization: `Bearer ${tokenOf(5)}` })).toBe(403)
  expect(await ask({})).toBe(401)
})
