/** Faults of HTTP itself are answered with problem details; and every address answers every method. */

import { METHODS } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OpenApi } from './contract.ts'
import { createWorld, putOf, SERVER_KEY, type World } from './world.ts'

let world: World

beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.close())

interface Answer {
  readonly status: number
  readonly head: string
  readonly body: string
}

/** Splits a text into its answers, by their lengths. */
function answersIn(text: string): Answer[] {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return []
  const head = text.slice(0, end).toLowerCase()
  const length = Number(/content-length: (\d+)/.exec(head)?.[1] ?? 0)
  const status = Number(head.split(' ')[1])
  const body = text.slice(end + 4, end + 4 + length)
  return [{ status, head, body }, ...answersIn(text.slice(end + 4 + length))]
}

const CLOSE = 'connection: close\r\n\r\n'

async function ask(text: string): Promise<Answer> {
  const [answer] = answersIn(await world.raw(text))
  return answer
}

describe('a request that is not valid HTTP', () => {
  const get = (version: string, ...headers: string[]) =>
    `GET /healthz ${version}\r\n${headers.join('\r\n')}\r\n${CLOSE}`
  const post = (framing: string, body: string) =>
    `POST /api/v1/posts HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${SERVER_KEY}\r\nrivulet-account: 1\r\ncontent-type: application/json\r\n${framing}\r\n\r\n${body}`

  it.each<[string, string, number, string]>([
    ['no HTTP', 'nonsense\r\n\r\n', 400, 'invalid_request'],
    ['an unknown method', `FETCH /healthz HTTP/1.1\r\nhost: x\r\n${CLOSE}`, 400, 'invalid_request'],
    ['a method in small letters', `get /healthz HTTP/1.1\r\nhost: x\r\n${CLOSE}`, 400, 'invalid_request'],
    ['another version', get('HTTP/3.0', 'host: x'), 400, 'invalid_request'],
    ['HTTP/2 without asking', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'invalid_request'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, 'invalid_request'],
    ['no Host', get('HTTP/1.1', 'x: y'), 400, 'invalid_request'],
    ['two of them', get('HTTP/1.1', 'host: x', 'Host: y'), 400, 'invalid_request'],
    ['an expectation', get('HTTP/1.1', 'host: x', 'expect: tea'), 417, 'expectation_failed'],
    ['bytes in the address', `GET /healthz?\xc3\xbc HTTP/1.1\r\nhost: x\r\n${CLOSE}`, 400, 'invalid_request'],
    [
      'a percent of nothing',
      `GET /api/v1/accounts/%zz HTTP/1.1\r\nhost: x\r\n${CLOSE}`,
      400,
      'invalid_request',
    ],
    [
      'a name too long',
      `GET /api/v1/accounts/${'x'.repeat(2_000)} HTTP/1.1\r\nhost: x\r\n${CLOSE}`,
      414,
      'uri_too_long',
    ],
    ['too many headers', get('HTTP/1.1', 'host: x', `x: ${'y'.repeat(20_000)}`), 431, 'invalid_request'],
    ['a folded header', get('HTTP/1.1', 'host: x', 'x: y', ' z'), 400, 'invalid_request'],
    ['a header without a name', get('HTTP/1.1', 'host: x', ': y'), 400, 'invalid_request'],
    ['two lengths', post('content-length: 2\r\ncontent-length: 3', '{}'), 400, 'invalid_request'],
    ['a length that is none', post('content-length: x', '{}'), 400, 'invalid_request'],
    [
      'a length and chunks',
      post('content-length: 2\r\ntransfer-encoding: chunked', '{}'),
      400,
      'invalid_request',
    ],
    ['chunks that are none', post('transfer-encoding: chunked', 'zz\r\n'), 400, 'invalid_request'],
    ['a tunnel', `CONNECT x:443 HTTP/1.1\r\nhost: x:443\r\n\r\n`, 405, 'method_not_allowed'],
  ])('%s', async (_name, text, status, code) => {
    const answer = await ask(text)
    expect(answer.status).toBe(status)
    expect(answer.head).toContain('content-type: application/problem+json')
    expect(JSON.parse(answer.body)).toMatchObject({ status, code })
  })

  it('does not include HTTP/1.0 without Host, nor an offer to upgrade', async () => {
    expect((await ask('GET /healthz HTTP/1.0\r\n\r\n')).status).toBe(200)
    const offer = `GET /healthz HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade, close\r\n\r\n`
    expect((await ask(offer)).status).toBe(200)
  })

  it('is counted and logged, and its answer has the headers of every answer', async () => {
    const answer = await ask(
      `GET /api/v1/accounts/%zz HTTP/1.1\r\nhost: x\r\nx-request-id: bad-address\r\n${CLOSE}`,
    )
    expect(answer.head).toContain('x-content-type-options: nosniff')
    expect(answer.head).toContain('x-request-id: bad-address')
    const line = world.logged.find((text) => text.includes('bad-address')) ?? '{}'
    expect(JSON.parse(line)).toMatchObject({ status: 400, path: '/api/v1/accounts/%zz' })
  })

  it('gets its refusal after the answers to earlier requests, which are carried out', async () => {
    const answers = answersIn(await world.raw(`${putOf('earlier', 'Put')}nonsense\r\n\r\n`))
    expect(answers.map(({ status }) => status)).toEqual([201, 400])
    expect(JSON.parse(answers[0].body)).toMatchObject({ external_id: 'earlier' })
    const broken = putOf('broken', 'Put').replace(
      /content-length[^]*/,
      'transfer-encoding: chunked\r\n\r\nzz\r\n',
    )
    const behind = await world.raw(`${putOf('earlier2', 'Put')}${broken}`)
    expect(answersIn(behind).map(({ status }) => status)).toEqual([201, 400])
  })

  it('that timed out is not carried out when it arrives after all', async () => {
    const { server } = world.api.app
    const late = Object.assign(new Error('late'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' })
    // A process that was stalled checks its deadlines before it reads bytes that came meanwhile.
    server.once('connection', (socket) => server.emit('clientError', late, socket))
    const answer = await world.raw(putOf('late', 'Put')).catch(() => 'cut off')
    expect(answer).toMatch(/^HTTP\/1\.1 408 |^cut off$/)
    const found = await world.call('GET', '/api/v1/accounts/ext:late', { as: SERVER_KEY })
    expect(found.status).toBe(404)
  })
})

describe('methods', () => {
  const ASKED = METHODS.filter((method) => method !== 'CONNECT')
  const of = (method: string, path: string) => ask(`${method} ${path} HTTP/1.1\r\nhost: x\r\n${CLOSE}`)

  it('that an address does not have are refused, and the answer lists those that it has', async () => {
    const { paths } = world.api.app.swagger() as unknown as OpenApi
    for (const [path, operations] of Object.entries(paths)) {
      const has = new Set(Object.keys(operations).map((method) => method.toUpperCase()))
      if (has.has('GET')) has.add('HEAD')
      const allow = `allow: ${[...has, 'OPTIONS'].sort().join(', ')}`.toLowerCase()
      const address = path.replace(/\{[^}]+\}/, 'ext:x%2Fy')
      for (const method of ASKED.filter((one) => !has.has(one))) {
        const answer = await of(method, address)
        expect([method, answer.status]).toEqual([method, method === 'OPTIONS' ? 204 : 405])
        expect(answer.head).toContain(allow)
        if (!['HEAD', 'OPTIONS'].includes(method))
          expect(answer.body).toContain('"code":"method_not_allowed"')
      }
    }
  })

  it('are answered with 404 at an unknown address', async () => {
    for (const method of ASKED) {
      for (const path of ['/nothing', '/api/v1/posts/5/nothing'])
        expect([method, (await of(method, path)).status]).toEqual([method, 404])
    }
    expect((await of('POST', '/docs/')).status).toBe(405)
  })

  it('HEAD is where GET is, and has no body', async () => {
    for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json', '/api/v1/feed']) {
      const [get, head] = [await of('GET', path), await of('HEAD', path)]
      expect(head.status).toBe(get.status)
      expect(head.body).toBe('')
    }
  })
})
