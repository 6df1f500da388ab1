/** Pipelined requests on one connection are handled one after the other, and their number is limited. */

import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createWorld, putOf, SERVER_KEY, type World } from './world.ts'

let world: World
beforeAll(async () => void (world = await createWorld()))
afterAll(() => world.close())

const POSTS = 40
const CHARACTERS = 5_000
const get = (path: string, token = '', more = '') =>
  `GET ${path} HTTP/1.1\r\nhost: x\r\n${token === '' ? '' : `authorization: Bearer ${token}\r\n`}${more}\r\n`
const CLOSE = 'connection: close\r\n'

const statuses = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map((match) => Number(match[1]))
const socketTo = () => connect(Number(new URL(world.url).port), '127.0.0.1')

test('writes are carried out in their order', async () => {
  const puts = Array.from({ length: 50 }, (_, n) => putOf('ordered', `name ${n}`))
  const text = await world.raw(`${puts.join('')}${get('/api/v1/accounts/ext:ordered', SERVER_KEY, CLOSE)}`)
  expect(statuses(text)).toEqual([201, ...Array.from({ length: 50 }, () => 200)])
  expect(text.slice(text.lastIndexOf('{'))).toContain('name 49')
})

test('a client that sends many requests and reads nothing has only one answer waiting', async () => {
  const { token } = await world.person('unread')
  for (let n = 0; n < POSTS; n++)
    await world.call('POST', '/api/v1/posts', { as: token, body: { content: '界'.repeat(CHARACTERS) } })
  const { outbound } = world.api
  const socket = socketTo()
  socket.pause()
  socket.write(get(`/api/v1/feed?limit=${POSTS}`, token).repeat(300))
  await vi.waitFor(() => expect(outbound.waitingBytes).toBeGreaterThan(0), { timeout: 20_000 })
  let most = 0
  for (let turns = 0; turns < 2_000; turns++) {
    most = Math.max(most, outbound.waitingBytes)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(most).toBeLessThan(2 * POSTS * CHARACTERS * 3)
  socket.destroy()
  await vi.waitFor(() => expect(outbound.waitingBytes).toBe(0), { timeout: 20_000 })
})

test('requests that were not begun when their client goes are not carried out', async () => {
  const { token } = await world.person('gone')
  for (let n = 0; n < POSTS; n++)
    await world.call('POST', '/api/v1/posts', { as: token, body: { content: '界'.repeat(CHARACTERS) } })
  const socket = socketTo()
  socket.pause()
  socket.write(`${get(`/api/v1/feed?limit=${POSTS}`, token).repeat(100)}${putOf('never', 'x')}`)
  await vi.waitFor(() => expect(world.api.outbound.waitingBytes).toBeGreaterThan(0), { timeout: 20_000 })
  socket.destroy()
  await vi.waitFor(() => expect(world.api.outbound.waitingBytes).toBe(0), { timeout: 20_000 })
  const found = await world.call('GET', '/api/v1/accounts/ext:never', { as: SERVER_KEY })
  expect(found.status).toBe(404)
})

test('of more than a thousand waiting requests, the first thousand are answered and the rest refused', async () => {
  const text = await world.raw(get('/healthz').repeat(1_100))
  const got = statuses(text)
  expect(got.slice(0, -1).every((status) => status === 200)).toBe(true)
  expect(got.length).toBeGreaterThan(1_000)
  expect(got.length).toBeLessThan(1_100)
  expect(got.at(-1)).toBe(503)
  expect(text).toContain('"code":"overloaded"')
})

test('other connections are served between them', async () => {
  const pipelined = world.raw(get('/healthz').repeat(900) + get('/healthz', '', CLOSE))
  let isOver = false
  void pipelined.then(() => (isOver = true))
  let served = 0
  while (!isOver) {
    const reply = await fetch(`${world.url}/healthz`)
    expect(reply.status).toBe(200)
    served++
  }
  expect(statuses(await pipelined)).toHaveLength(901)
  expect(served).toBeGreaterThan(2)
})

test('a client that closes its sending side still gets its answer', async () => {
  const ended = async (text: string) => {
    const socket = socketTo()
    let got = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => (got += chunk))
    socket.end(text)
    await new Promise((resolve) => socket.once('close', resolve))
    return statuses(got)
  }
  expect(await ended(putOf('half', 'x'))).toEqual([201])
  expect(await ended(putOf('half', 'x') + get('/healthz'))).toEqual([200, 200])
  expect(await ended('')).toEqual([])
  // The rest of the request will never come.
  expect(await ended(putOf('half', 'y').slice(0, -3))).toEqual([400])
})
