/** Streams of server-sent events: how they begin, what bounds them, and every way in which they end. */

import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { setImmediate } from 'node:timers/promises'
import Type from 'typebox'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { drainServer } from '../../src/app/server/drain.ts'
import { notFound } from '../../src/core/errors.ts'
import type { EventStream } from '../../src/http/event-stream.ts'
import type { OpenApi } from './contract.ts'
import { createDomain, KEY, request, tokenOf, type Domain, type DomainOptions } from './domain.ts'

const HEARTBEAT_MS = 15_000
const AS_ONE = `authorization: Bearer ${tokenOf(1)}`
const waitFor = (check: () => void) => vi.waitFor(check, { timeout: 20_000, interval: 5 })

let domain: Domain
let opened: EventStream[] = []
afterEach(async () => {
  await domain.close()
  opened = []
})

/** A domain whose stream is held by the test, after one event. */
async function start(options: DomainOptions = {}, begin = defaultBegin): Promise<void> {
  domain = await createDomain((router) => {
    router.stream({
      path: '/events/:topic',
      name: 'getEvents',
      summary: 'Events',
      tag: 'tests',
      access: 'authenticated',
      params: { topic: Type.String() },
      query: Type.Object({ since: Type.Optional(Type.Integer()) }, { additionalProperties: false }),
      events: { hello: 'Nothing.', news: 'Text.' },
      problems: ['not_found'],
      async open({ params }, stream) {
        await begin(params.topic, stream)
      },
    })
    router.read({
      method: 'GET',
      path: '/plain',
      name: 'getPlain',
      summary: 'Plain',
      tag: 'tests',
      access: 'authenticated',
      answers: { 200: Type.Object({ plain: Type.Boolean() }) },
      answer: () => ({ status: 200, body: { plain: true } }),
    })
  }, options)
}

function defaultBegin(topic: string, stream: EventStream): void | Promise<void> {
  if (topic === 'nothing') throw notFound()
  opened.push(stream)
  if (topic !== 'quiet') stream.send({ event: 'hello', data: topic })
}

async function samples(name: string): Promise<Record<string, number>> {
  const text = await domain.metrics.text()
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`))
  return Object.fromEntries(
    lines.map((line) => [/end="(\w+)"/.exec(line)?.[1] ?? 'all', Number(line.split(' ').at(-1))]),
  )
}
const open = async () => (await samples('rivulet_http_open_streams'))['all']
const ends = () => samples('rivulet_http_streams_ended_total')
const lines = (message: string) => domain.logged.filter(({ msg }) => msg === message)

describe('a stream', () => {
  it('begins with its head, carries events, and ends when its route ends it', async () => {
    await start()
    const client = await domain.listen('/events/a', tokenOf(7), { 'last-event-id': '41' })
    const { headers, statusCode } = client.answer
    expect(statusCode).toBe(200)
    expect(headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-accel-buffering': 'no',
    })
    await client.sees('event: hello\ndata: a\n\n')
    const [stream] = opened
    expect(stream.lastEventId).toBe('41')
    expect(stream.send({ id: '42', event: 'news', data: 'two\nlines' })).toBe(true)
    stream.end(5_000)
    await client.ended()
    expect(client.text).toBe(
      ':\n\nevent: hello\ndata: a\n\nevent: news\nid: 42\ndata: two\ndata: lines\n\nretry: 5000\n\n',
    )
    expect(stream.signal.aborted).toBe(true)
    expect(stream.send({ data: 'late' })).toBe(false)
    expect(await ends()).toEqual({ done: 1 })
    expect(await samples('rivulet_http_stream_events_total')).toEqual({ all: 3 })
  })

  it('opens when its route has opened it, also without an event', async () => {
    await start()
    const client = await domain.listen('/events/quiet')
    await client.sees(':\n\n')
    expect(await open()).toBe(1)
  })

  it('is refused by what its route throws, and by wrong input, as other requests are', async () => {
    await start()
    const ask = async (path: string, as?: string, method = 'GET') => {
      const headers: Record<string, string> = as === undefined ? {} : { authorization: `Bearer ${as}` }
      const answer = await fetch(`${domain.url}/api/v1${path}`, { method, headers })
      return [answer.status, answer.headers.get('content-type')]
    }
    const problem = 'application/problem+json; charset=utf-8'
    expect(await ask('/events/nothing', tokenOf(1))).toEqual([404, problem])
    expect(await ask('/events/a')).toEqual([401, problem])
    expect(await ask('/events/a', 'wrong')).toEqual([401, problem])
    expect(await ask('/events/a?since=x', tokenOf(1))).toEqual([400, problem])
    expect(await ask('/events/a?other=1', tokenOf(1))).toEqual([400, problem])
    expect(await ask('/events/a', tokenOf(1), 'POST')).toEqual([405, problem])
    expect(await ask('/events/a', tokenOf(1), 'HEAD')).toEqual([200, 'text/event-stream; charset=utf-8'])
    expect([opened, await open()]).toEqual([[], 0])
  })

  it('counts and is logged when it opens, and once more when it ends', async () => {
    await start()
    const client = await domain.listen('/events/a', tokenOf(9))
    await client.sees('hello')
    expect(lines('request')).toMatchObject([{ route: '/api/v1/events/:topic', status: 200, account: 9 }])
    client.vanish()
    await waitFor(() => expect(lines('a stream ended')).toHaveLength(1))
    expect(lines('a stream ended')).toMatchObject([
      { route: '/api/v1/events/:topic', end: 'gone', events: 1, account: 9 },
    ])
    expect(lines('request')).toHaveLength(1)
    const text = await domain.metrics.text()
    expect(text).toContain(
      'rivulet_http_requests_total{method="GET",route="/api/v1/events/:topic",status="200"} 1',
    )
  })

  it('has the headers of CORS, and counts for the rate limit', async () => {
    await start({ corsOrigins: ['https://app.test'], rates: { read: 2, write: 1 } })
    const origin = { origin: 'https://app.test' }
    const { headers } = (await domain.listen('/events/a', tokenOf(1), origin)).answer
    expect(headers).toMatchObject({
      'access-control-allow-origin': 'https://app.test',
      'ratelimit-remaining': '1',
    })
    const preflight = await fetch(`${domain.url}/api/v1/events/a`, {
      method: 'OPTIONS',
      headers: { ...origin, 'access-control-request-method': 'GET' },
    })
    expect(preflight.headers.get('access-control-allow-headers')).toContain('last-event-id')
    await domain.listen('/events/a', tokenOf(1))
    expect((await domain.listen('/events/a', tokenOf(1))).answer.statusCode).toBe(429)
  })

  it('is described with its events', async () => {
    await start()
    const { paths } = domain.app.swagger() as unknown as OpenApi
    const { responses, parameters } = paths['/api/v1/events/{topic}'].get
    expect(responses['200'].content).toHaveProperty(['text/event-stream'])
    expect(JSON.stringify(responses['200'])).toContain('* `news`: Text.')
    expect(Object.keys(responses)).toEqual(expect.arrayContaining(['401', '404', '429', '503']))
    expect(parameters?.map(({ name }) => name)).toContain('last-event-id')
    expect(parameters?.map(({ name }) => name)).not.toContain('idempotency-key')
  })
})

describe('a client', () => {
  it('that goes away ends the stream at once', async () => {
    await start()
    const client = await domain.listen('/events/a')
    await client.sees('hello')
    client.vanish()
    await waitFor(() => expect(opened[0].signal.aborted).toBe(true))
    expect([await open(), await ends()]).toEqual([0, { gone: 1 }])
    expect(opened[0].send({ data: 'x' })).toBe(false)
  })

  it('that goes away while the route opens the stream is told to the route', async () => {
    let release = () => {}
    const opening = new Promise<void>((resolve) => (release = resolve))
    await start({}, (_topic, stream) => {
      opened.push(stream)
      return opening
    })
    const client = domain.dial(request('GET', '/events/a', AS_ONE))
    await waitFor(() => expect(opened).toHaveLength(1))
    client.socket.resetAndDestroy()
    await waitFor(() => expect(opened[0].signal.aborted).toBe(true))
    release()
    await setImmediate()
    expect(opened[0].send({ data: 'x' })).toBe(false)
    expect([await open(), lines('a stream ended')]).toEqual([0, []])
  })

  it('that goes away before its token is verified leaves nothing behind', async () => {
    let release = () => {}
    const verifying = new Promise<void>((resolve) => (release = resolve))
    await start({ verifying, bounds: { streamsMax: 1 } })
    let hasLeft: Promise<unknown> | undefined
    domain.app.server.once('request', (_asked, answer: ServerResponse) => (hasLeft = once(answer, 'close')))
    const client = domain.dial(request('GET', '/events/a', AS_ONE))
    await waitFor(() => expect(hasLeft).toBeDefined())
    client.socket.resetAndDestroy()
    await hasLeft
    release()
    for (let turns = 0; turns < 5; turns++) await setImmediate()
    expect([opened, lines('a stream ended')]).toEqual([[], []])
    await (await domain.listen('/events/b')).sees('data: b')
    expect(await open()).toBe(1)
  })

  it('that closes its sending side gets what was sent, and an end', async () => {
    await start()
    const text = await domain.dial(request('GET', '/events/a', AS_ONE), true).closed()
    expect(text).toContain('HTTP/1.1 200')
    expect(text).toContain('data: a\n\n')
    expect(text.endsWith('0\r\n\r\n')).toBe(true)
    const later = domain.dial(request('GET', '/events/b', AS_ONE))
    await later.sees('data: b')
    later.socket.end()
    expect((await later.closed()).endsWith('0\r\n\r\n')).toBe(true)
    expect([await open(), await ends()]).toEqual([0, { gone: 2 }])
  })

  it('that reads gets everything in order, however much its route has to send', async () => {
    const count = 2_000
    await start({}, async (_topic, stream) => {
      for (let n = 0; n < count; n++)
        if (!stream.send({ data: `${n} ${'x'.repeat(4_000)}` })) await stream.room()
      stream.end()
    })
    const client = await domain.listen('/events/a')
    await client.ended()
    const numbers = [...client.text.matchAll(/^data: (\d+) /gm)].map(([, n]) => Number(n))
    expect(numbers).toEqual(Array.from({ length: count }, (_, n) => n))
    expect(await ends()).toEqual({ done: 1 })
    await waitFor(() => expect(domain.outbound.waitingBytes).toBe(0))
  })

  it('that reads too slowly is cut at the bound, which the log and the metrics tell', async () => {
    const bound = 100_000
    await start({ bounds: { waitingBytesMax: bound } })
    const client = await domain.listen('/events/a')
    await client.sees('hello')
    client.stall()
    let most = 0
    for (const data = 'x'.repeat(8_000); !opened[0].signal.aborted;) {
      opened[0].send({ data })
      most = Math.max(most, domain.outbound.waitingBytes)
      await setImmediate()
    }
    expect(most).toBeLessThanOrEqual(bound)
    expect(most).toBeGreaterThan(bound / 2)
    await waitFor(() => expect(lines('a stream ended')).toMatchObject([{ end: 'slow' }]))
    expect([await open(), await ends()]).toEqual([0, { slow: 1 }])
    await waitFor(() => expect(domain.outbound.waitingBytes).toBe(0))
  })

  it('that reads nothing from one heartbeat to the next is cut, though little waits for it', async () => {
    await start()
    const client = await domain.listen('/events/a')
    await client.sees('hello')
    client.stall()
    for (const data = 'x'.repeat(8_000); opened[0].send({ data });) await setImmediate()
    domain.clock.advance(HEARTBEAT_MS)
    // The operating system may still take some.
    await setImmediate()
    expect(domain.outbound.waitingBytes).toBeGreaterThan(0)
    for (let beats = 0; beats < 5; beats++) {
      await setImmediate()
      domain.clock.advance(HEARTBEAT_MS)
    }
    expect(opened[0].signal.aborted).toBe(true)
    expect(await ends()).toEqual({ slow: 1 })
  })

  it('gets one event that is larger than the bound', async () => {
    await start({ bounds: { waitingBytesMax: 1_000 } })
    const client = await domain.listen('/events/quiet')
    await client.sees(':')
    await waitFor(() => expect(domain.outbound.waitingBytes).toBe(0))
    opened[0].send({ data: `${'x'.repeat(500_000)}!` })
    await client.sees('!\n\n')
    expect(await open()).toBe(1)
  })
})

describe('heartbeats', () => {
  it('keep a silent stream alive, and are left out where events keep it so', async () => {
    await start()
    const client = await domain.listen('/events/quiet')
    await client.sees(':\n\n')
    domain.clock.advance(HEARTBEAT_MS)
    await client.sees(':\n\n:\n\n')
    opened[0].send({ data: 'x' })
    domain.clock.advance(HEARTBEAT_MS)
    opened[0].end()
    await client.ended()
    expect(client.text).toBe(':\n\n:\n\ndata: x\n\n')
  })

  it('stop with the stream', async () => {
    await start()
    const client = await domain.listen('/events/a')
    opened[0].end()
    await client.ended()
    domain.clock.advance(10 * HEARTBEAT_MS)
    expect(await ends()).toEqual({ done: 1 })
  })
})

describe('bounds', () => {
  it('end the oldest stream of an account that opens too many', async () => {
    await start({ bounds: { perAccountMax: 2 } })
    const first = await domain.listen('/events/first')
    const others = [await domain.listen('/events/a'), await domain.listen('/events/b', KEY)]
    others.push(await domain.listen('/events/c', tokenOf(2)))
    expect(first.hasEnded).toBe(false)
    others.push(await domain.listen('/events/d'))
    await first.ended()
    expect(first.text).toMatch(/data: first\n\nretry: [1-5]\d{3}\n\n$/)
    expect(others.map(({ hasEnded }) => hasEnded)).toEqual([false, false, false, false])
    expect([await open(), await ends()]).toEqual([4, { replaced: 1 }])
  })

  it('do not count streams of an account that have ended', async () => {
    await start({ bounds: { perAccountMax: 2 } })
    await domain.listen('/events/a')
    await domain.listen('/events/b')
    opened[0].end()
    const third = await domain.listen('/events/c')
    expect([await open(), await ends()]).toEqual([2, { done: 1 }])
    await domain.listen('/events/d')
    await waitFor(() => expect(opened[1].signal.aborted).toBe(true))
    expect(third.hasEnded).toBe(false)
    expect([await open(), await ends()]).toEqual([2, { done: 1, replaced: 1 }])
  })

  it('refuse a stream when too many are open, and take one again later', async () => {
    await start({ bounds: { streamsMax: 2 } })
    await domain.listen('/events/a', tokenOf(1))
    await domain.listen('/events/b', tokenOf(2))
    expect((await domain.listen('/events/c', tokenOf(3))).answer.statusCode).toBe(503)
    opened[0].end()
    await waitFor(() => expect(opened[0].signal.aborted).toBe(true))
    expect((await domain.listen('/events/c', tokenOf(3))).answer.statusCode).toBe(200)
  })

  it('hold for a life, after which the client comes back', async () => {
    await start({ bounds: { lifeMs: 4 * HEARTBEAT_MS } })
    const client = await domain.listen('/events/a')
    await client.sees('hello')
    for (let beats = 0; beats < 4; beats++) {
      await waitFor(() => expect(domain.outbound.waitingBytes).toBe(0))
      domain.clock.advance(HEARTBEAT_MS)
    }
    await client.ended()
    expect(client.text).toMatch(/retry: \d+\n\n$/)
    expect(await ends()).toEqual({ aged: 1 })
  })

  it('leave no trace of many streams', async () => {
    await start()
    const clients = await Promise.all(
      Array.from({ length: 400 }, (_, n) => domain.listen('/events/a', tokenOf(n % 100))),
    )
    expect(await open()).toBe(400)
    for (const stream of opened) stream.send({ event: 'news', data: 'to all' })
    await Promise.all(clients.map((client) => client.sees('to all')))
    for (const [n, client] of clients.entries()) if (n % 2 === 0) client.vanish()
    await waitFor(() => expect(opened.filter(({ signal }) => signal.aborted)).toHaveLength(200))
    for (const stream of opened) stream.end()
    await Promise.all(clients.filter((_, n) => n % 2 === 1).map((client) => client.ended()))
    expect([await open(), await ends()]).toEqual([0, { gone: 200, done: 200 }])
    await waitFor(() => expect(domain.outbound.waitingBytes).toBe(0))
  })
})

describe('a server that stops', () => {
  it('ends all streams at once, tells clients to come back, and takes no more', async () => {
    await start()
    const kept = domain.dial(request('GET', '/plain', AS_ONE))
    await kept.sees('{"plain":true}')
    const clients = await Promise.all([1, 2, 3].map((n) => domain.listen('/events/a', tokenOf(n))))
    domain.streams.drain()
    await Promise.all(clients.map((client) => client.ended()))
    for (const { text } of clients) expect(text).toMatch(/data: a\n\nretry: [1-5]\d{3}\n\n$/)
    kept.socket.write(request('GET', '/events/a', AS_ONE))
    await kept.sees('"code":"shutting_down"')
    expect([await open(), await ends()]).toEqual([0, { drained: 3 }])
  })

  it('is not kept from stopping by open streams, nor by one that its route still opens', async () => {
    let release = () => {}
    const opening = new Promise<void>((resolve) => (release = resolve))
    await start({}, (topic, stream) => {
      opened.push(stream)
      return topic === 'long' ? opening : undefined
    })
    const client = await domain.listen('/events/a')
    const long = domain.dial(request('GET', '/events/long', AS_ONE, 'connection: close'))
    await waitFor(() => expect(opened).toHaveLength(2))
    const closed = domain.app.close()
    await client.ended()
    release()
    expect(await long.closed()).toMatch(/HTTP\/1.1 200[^]*retry: \d+\n\n\r\n0\r\n\r\n$/)
    await closed
  })
})

it('streams end before a server waits for answers under way, and one that nobody reads is cut in the end', async () => {
  await start()
  const [stalled, reading] = [await domain.listen('/events/a'), await domain.listen('/events/b')]
  await stalled.sees('data: a')
  stalled.stall()
  for (const data = 'x'.repeat(8_000); opened[0].send({ data });) await setImmediate()
  let isDrained = false
  const { clock, app, outbound, streams } = domain
  const drained = drainServer(clock, app, outbound, streams).then(() => (isDrained = true))
  await reading.ended()
  expect(reading.text).toMatch(/data: b\n\nretry: \d+\n\n$/)
  expect([await open(), await ends(), isDrained]).toEqual([0, { drained: 2 }, false])
  clock.advance(10_000)
  await drained
})

describe('requests behind a stream on its connection', () => {
  it('end it, and are answered after it', async () => {
    await start()
    const together = domain.dial(request('GET', '/events/a', AS_ONE) + request('GET', '/plain', AS_ONE))
    await together.sees('{"plain":true}')
    expect(together.text).toMatch(/data: a\n\n\r\n0\r\n\r\nHTTP\/1.1 200 OK/)
    const apart = domain.dial(request('GET', '/events/b', AS_ONE))
    await apart.sees('data: b')
    expect(apart.text).not.toContain('0\r\n\r\n')
    apart.socket.write(request('GET', '/events/c', AS_ONE))
    await apart.sees('data: c')
    apart.socket.write(request('GET', '/plain', AS_ONE, 'connection: close'))
    const text = await apart.closed()
    expect([...text.matchAll(/HTTP\/1.1 (\d+)|data: (\w)|("plain")/g)].map(([all]) => all)).toEqual([
      'HTTP/1.1 200',
      'data: b',
      'HTTP/1.1 200',
      'data: c',
      'HTTP/1.1 200',
      '"plain"',
    ])
    expect(await ends()).toEqual({ followed: 3 })
    together.socket.destroy()
  })

  it('are refused after it if they are no HTTP', async () => {
    await start()
    const client = domain.dial(request('GET', '/events/a', AS_ONE))
    await client.sees('data: a')
    client.socket.write('nonsense\r\n\r\n')
    const text = await client.closed()
    expect(text).toMatch(/data: a\n\n\r\n0\r\n\r\nHTTP\/1.1 400/)
    expect(await ends()).toEqual({ followed: 1 })
  })

  it('many of them do not wait for streams either', async () => {
    await start()
    const client = domain.dial(
      request('GET', '/events/a', AS_ONE).repeat(50) + request('GET', '/plain', AS_ONE),
    )
    await client.sees('"plain"')
    expect(client.text.match(/data: a/g)).toHaveLength(50)
    expect(await ends()).toEqual({ followed: 50 })
    client.socket.destroy()
  })
})

describe('a route that fails', () => {
  it('after the first event ends the stream; the log tells why', async () => {
    await start({}, async (_topic, stream) => {
      stream.send({ data: 'first' })
      await setImmediate()
      throw new Error('broken inside')
    })
    const client = await domain.listen('/events/a')
    await client.ended()
    expect(client.text).toMatch(/^:\n\ndata: first\n\nretry: \d+\n\n$/)
    expect(await ends()).toEqual({ failed: 1 })
    expect(JSON.stringify(lines('a request failed'))).toContain('broken inside')
  })

  it('before it is a problem as elsewhere', async () => {
    await start({}, () => Promise.reject(new Error('broken inside')))
    const client = await domain.listen('/events/a')
    await client.ended()
    expect(client.answer.statusCode).toBe(500)
    expect(client.text).not.toContain('broken inside')
    expect([await open(), await ends()]).toEqual([0, {}])
  })

  it.each([
    { event: 'a\ndata: forged', data: 'x' },
    { event: 'a\rid: 1', data: 'x' },
    { id: 'a\n\ndata: forged', data: 'x' },
    { id: 'a\0', data: 'x' },
    { retryMs: -1 },
    { retryMs: 1.5 },
  ])('because of the event %j ends the stream, without that event', async (event) => {
    await start({}, (topic, stream) => {
      opened.push(stream)
      if (topic === 'first') stream.send(event)
    })
    const first = await domain.listen('/events/first')
    await first.ended()
    expect(first.text).toMatch(/^:\n\nretry: \d+\n\n$/)
    opened = []
    const client = await domain.listen('/events/quiet')
    await client.sees(':')
    expect(opened[0].send(event)).toBe(false)
    await client.ended()
    expect(client.text).toMatch(/^:\n\nretry: \d+\n\n$/)
    expect(await ends()).toEqual({ failed: 2 })
    expect(lines('a request failed')).toHaveLength(2)
  })
})
