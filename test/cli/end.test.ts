/** A server that is asked to end does so, even if the reader of its log or its folder is gone. */

import { once } from 'node:events'
import { mkdtempSync, openSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launch, pause, start, type Started } from './cli.ts'

let root: string
beforeAll(() => void (root = mkdtempSync(join(tmpdir(), 'rivulet-end-'))))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const REQUESTS = 1_000
const AT_ONCE = 50

async function serving(data: string): Promise<{ server: Started; url: string }> {
  const server = start(['serve', '--data', data, '--port', '0'], { RIVULET_LOG_LEVEL: 'info' })
  const said = await server.says('  data  ')
  return { server, url: /(http:\/\/[\d.]+:\d+)/.exec(said)?.[1] ?? '' }
}

/** Sends requests, each of which logs a line. */
async function flood(url: string, requests: number): Promise<void> {
  for (let sent = 0; sent < requests; sent += AT_ONCE) {
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => (await fetch(`${url}/api/v1/feed`)).arrayBuffer()),
    )
  }
}

const exited = ({ child }: Started) =>
  new Promise<void>((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve()
    else child.once('exit', () => resolve())
  })

test('the reader of its log goes away, its folder is removed, and it is asked to end, all at once', async () => {
  const data = join(root, 'gone')
  const { server, url } = await serving(data)
  const flooding = flood(url, REQUESTS).catch(() => undefined)
  await pause(100)
  server.child.stderr.destroy()
  rmSync(data, { recursive: true, force: true })
  server.child.kill('SIGTERM')
  await exited(server)
  await flooding
})

test('the reader of its log stalls', async () => {
  const { server, url } = await serving(join(root, 'still'))
  server.child.stderr.removeAllListeners('data')
  server.child.stderr.pause()
  // More than the pipe and the buffers on both of its sides hold.
  await flood(url, REQUESTS)
  server.child.kill('SIGTERM')
  await exited(server)
  expect(server.child.exitCode === 0 || server.child.signalCode === 'SIGKILL').toBe(true)
  server.child.stderr.destroy()
})

test.each<[string, number | 'pipe']>([
  ['a disk that is full', openSync('/dev/full', 'w')],
  ['a reader that has gone', 'pipe'],
])('a start that fails ends with 1, whatever its log is: %s', async (_, stderr) => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const port = String((taken.address() as AddressInfo).port)
  // An unknown variable is reported, so that there is something to log.
  const child = launch(
    ['serve', '--data', join(root, `failed-${String(stderr)}`), '--port', port],
    { RIVULET_SERVICE_HOST: '10.0.0.1', RIVULET_LOG_LEVEL: 'info' },
    ['ignore', 'ignore', stderr],
  )
  child.stderr?.destroy()
  const [code] = (await once(child, 'exit')) as [number | null]
  expect(code).toBe(1)
  taken.close()
})
