/** Response bodies share memory that is used again: none may ever show bytes of another. */

import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { giveBack, stitch } from '../../src/http/bytes.ts'
import { createWorld, type World } from './world.ts'

const body = (letter: string, size = 20_000) =>
  stitch([Buffer.alloc(size / 2, letter), Buffer.alloc(size / 2, letter)])
const isAll = (bytes: Buffer, letter: string) => bytes.every((byte) => byte === letter.charCodeAt(0))

test('memory comes back only when every body of its slab has', () => {
  const bodies = Array.from({ length: 500 }, (_, i) => ({
    letter: 'abcdefgh'[i % 8],
    bytes: body('abcdefgh'[i % 8]),
  }))
  for (let i = 0; i < bodies.length; i += 2) giveBack(bodies[i].bytes)
  for (let i = 0; i < 500; i++) body('x')
  for (let i = 1; i < bodies.length; i += 2) expect(isAll(bodies[i].bytes, bodies[i].letter)).toBe(true)
})

test('memory that came back is used again', () => {
  const first = body('a')
  giveBack(first)
  const buffers = new Set<ArrayBufferLike>([first.buffer])
  for (let i = 0; i < 1_000; i++) {
    const next = body('b')
    buffers.add(next.buffer)
    giveBack(next)
  }
  expect(buffers.size).toBeLessThanOrEqual(2)
})

test('bytes from elsewhere, and large ones, are left alone', () => {
  const large = body('l', 2_000_000)
  giveBack(large)
  giveBack(Buffer.from('short'))
  body('m', 2_000_000)
  expect(isAll(large, 'l')).toBe(true)
})

let world: World
beforeAll(async () => void (world = await createWorld()))
afterAll(() => world.close())

/** Sends all requests at once, reads nothing for a while, then everything. */
function slowly(path: string, token: string, requests: number): Promise<string[]> {
  const socket = connect(Number(new URL(world.url).port), '127.0.0.1')
  const request = `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n`
  socket.pause()
  socket.write(`${request}\r\n`.repeat(requests - 1) + `${request}Connection: close\r\n\r\n`)
  setTimeout(() => socket.resume(), 300)
  const chunks: Buffer[] = []
  return new Promise((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.once('error', reject)
    socket.once('end', () => {
      const text = Buffer.concat(chunks).toString()
      resolve([...text.matchAll(/\r\n\r\n(\{.*?\})(?=HTTP\/1\.1 |$)/gs)].map(([, json]) => json))
    })
  })
}

test('readers who take their time get their own pages whole', async () => {
  const people = await Promise.all(['a', 'b', 'c'].map((letter) => world.person(`slow_${letter}`)))
  for (const [i, { token }] of people.entries()) {
    for (let n = 0; n < 20; n++) {
      const body = { content: 'abc'[i].repeat(1_500) }
      await world.call('POST', '/api/v1/posts', { as: token, body })
    }
  }
  const readers = people.flatMap(({ token }) => [token, token, token])
  const answers = await Promise.all(readers.map((token) => slowly('/api/v1/feed', token, 60)))
  const lettersOf = (page: string) => {
    const { posts } = JSON.parse(page) as { posts: { content: string }[] }
    return posts.map(({ content }) => `${content.length}${[...new Set(content)].join('')}`)
  }
  answers.forEach((pages, i) => {
    const expected = Array.from({ length: 20 }, () => `1500${'abc'[Math.floor(i / 3)]}`)
    expect(pages).toHaveLength(60)
    for (const page of pages) expect(lettersOf(page)).toEqual(expected)
  })
})

test('answers that nobody reads are counted until their connection is gone', async () => {
  const { token } = await world.person('unread')
  for (let n = 0; n < 40; n++) {
    await world.call('POST', '/api/v1/posts', { as: token, body: { content: '界'.repeat(5_000) } })
  }
  const { outbound } = world.api
  const sockets = Array.from({ length: 4 }, () => connect(Number(new URL(world.url).port), '127.0.0.1'))
  for (const socket of sockets) {
    socket.pause()
    const request = `GET /api/v1/feed?limit=40 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`
    socket.write(request.repeat(30))
  }
  await vi.waitFor(() => expect(outbound.waitingBytes).toBeGreaterThan(1_000_000), { timeout: 20_000 })
  for (const socket of sockets) socket.destroy()
  await vi.waitFor(() => expect(outbound.waitingBytes).toBe(0), { timeout: 20_000 })
})
