/** A server that is asked to end waits until slow clients have read their answers. */

import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { pause, serve, SERVER_KEY } from './cli.ts'

let root: string
beforeAll(() => void (root = mkdtempSync(join(tmpdir(), 'rivulet-drain-'))))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const PAGES = 40

test('every answer begun before SIGTERM arrives whole', { timeout: 60_000 }, async () => {
  const server = await serve(join(root, 'data'))
  const headers = { authorization: `Bearer ${SERVER_KEY}`, 'content-type': 'application/json' }
  const call = async (path: string, body: unknown, more = {}) =>
    (
      await fetch(`${server.url}/api/v1${path}`, {
        method: 'POST',
        headers: { ...headers, ...more },
        body: JSON.stringify(body),
      })
    ).json() as Promise<{ id: string }>
  const { id } = await call('/accounts', { handle: 'author' })
  const content = '界'.repeat(5_000)
  for (let i = 0; i < 50; i++) await call('/posts', { content }, { 'rivulet-account': id })

  // More than the system's buffers hold, while the client reads nothing for a while.
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
  socket.pause()
  const request = `GET /api/v1/feed?limit=50 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SERVER_KEY}\r\nRivulet-Account: ${id}\r\n\r\n`
  socket.write(request.repeat(PAGES))
  const chunks: Buffer[] = []
  const closed = new Promise<void>((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.once('close', resolve)
    socket.once('error', reject)
  })
  await pause(1_000)
  const ended = server.stop()
  await pause(300)
  socket.resume()
  await closed
  expect((await ended).code).toBe(0)
  const pages = pagesIn(Buffer.concat(chunks))
  expect(pages.length).toBeGreaterThan(3)
  for (const { length, arrived } of pages) expect(arrived).toBe(length)
})

/** The announced length of each answer, and how much of it arrived. */
function pagesIn(bytes: Buffer): { length: number; arrived: number }[] {
  const pages: { length: number; arrived: number }[] = []
  for (let at = 0; at < bytes.length;) {
    const body = bytes.indexOf('\r\n\r\n', at) + 4
    const length = Number(/content-length: (\d+)/i.exec(bytes.toString('latin1', at, body))?.[1])
    pages.push({ length, arrived: Math.min(length, bytes.length - body) })
    at = body + length
  }
  return pages
}
