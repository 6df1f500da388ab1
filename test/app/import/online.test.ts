/** Imports into a running server: each row once, whatever fails on the way, with the same problems as into a folder. */

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { csvSource } from '../../../src/app/import/csv.ts'
import { inBatches } from '../../../src/app/import/batch-client.ts'
import { importOnline, type OnlineOptions } from '../../../src/app/import/online.ts'
import { noProgress } from '../../../src/app/import/progress.ts'
import { LIMITS } from '../../../src/core/limits.ts'
import { createRealEnv } from '../../../src/ports/env/real.ts'
import { run } from '../../cli/cli.ts'
import { createWorld, SERVER_KEY, type World } from '../../http/world.ts'
import { tempFolder } from '../folders.ts'

const env = createRealEnv()
let world: World
beforeAll(async () => void (world = await createWorld()))
afterAll(() => world.close())

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

const server = async (method: string, path: string, headers: Record<string, string> = {}) =>
  (await world.call(method, `/api/v1${path}`, { as: SERVER_KEY, headers })).json

interface Files {
  readonly edges: readonly string[]
  readonly posts: readonly object[]
  readonly mutual?: boolean
}

function write({ edges, posts }: Files): { edges: string; posts: string } {
  const folder = tempFolder()
  const paths = { edges: join(folder, 'edges.csv'), posts: join(folder, 'posts.jsonl') }
  writeFileSync(paths.edges, edges.join('\n'))
  writeFileSync(paths.posts, posts.map((post) => JSON.stringify(post)).join('\n'))
  return paths
}

async function importing(files: Files, options: Partial<OnlineOptions> = {}) {
  const notices: string[] = []
  const auto = { header: 'auto', columns: undefined, delimiter: undefined, comment: undefined } as const
  const source = await csvSource({ ...write(files), mutual: files.mutual === true, ...auto })
  const summary = await importOnline(source, {
    ...{ env, url: world.url, serverKey: SERVER_KEY, progress: noProgress },
    notice: (text) => notices.push(text),
    ...options,
  })
  return { summary, notices }
}

/** Stands before the server and answers some requests itself. @param act decides for the n-th request */
async function before(act: (n: number) => 'pass' | 'drop' | 429 | 503 | 504): Promise<string> {
  let n = 0
  const proxy = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const what = act(n++)
      if (typeof what === 'number') return void response.writeHead(what, { 'retry-after': '0' }).end('busy')
      void fetch(world.url + (request.url ?? ''), {
        method: 'POST',
        headers: {
          authorization: request.headers.authorization ?? '',
          'content-type': 'application/json',
        },
        body: Buffer.concat(chunks),
      }).then(async (answer) => {
        const text = await answer.text()
        // The server has done it, and the client does not learn of it.
        if (what === 'drop') response.destroy()
        else response.writeHead(answer.status, { 'content-type': 'application/json' }).end(text)
      })
    })
  })
  servers.push(proxy)
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
}

const AT = '2024-05-01T12:00:00Z'
const range = <T>(count: number, of: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => of(i))

test('files become accounts, follows and posts; rows left out are named by line', async () => {
  const { summary, notices } = await importing({
    edges: ['follower,followee', 'ann,bob', 'cid,bob', 'bob,bob', 'ann,bob', 'dee', 'ann,cid'],
    posts: [
      { author: 'bob', content: 'one', created_at: AT, id: 'b-1' },
      { author: 'bob', content: 'two', custom: { a: [1, 'é'] }, visibility: 'followers', created_at: AT },
      { author: 'eve', content: '', created_at: AT },
      { author: 'fay', content: 'mine', created_at: AT },
    ],
  })
  expect(summary).toMatchObject({ accounts: 4, follows: 4, posts: 3 })
  expect([...summary.problems.byKind]).toEqual([
    ['self-loop', 1],
    ['wrong number of columns', 1],
    ['not a post', 1],
  ])
  expect(notices.join('\n')).toMatch(
    /edges\.csv:4: self-loop[^]*edges\.csv:6: [^]*posts\.jsonl:3: not a post/,
  )
  expect(await server('GET', '/accounts/ext:bob')).toMatchObject({ followers_count: 2, posts_count: 1 })
  await world.rivulet.settle()
  const { posts } = await server('GET', '/feed', { 'rivulet-account': 'ext:ann' })
  expect(posts).toMatchObject([
    { content: 'two', custom: { a: [1, 'é'] }, visibility: 'followers', client_ref: null },
    { content: 'one', client_ref: 'b-1', author: { external_id: 'bob' } },
  ])
})

test('what the server refuses is named by line, too', async () => {
  await importing({
    edges: ['kim1,lee1', 'kim1,max1'],
    posts: [{ author: 'kim1', content: 'x', created_at: AT }],
  })
  await world.call('PUT', '/api/v1/accounts/ext:kim1/block', {
    as: SERVER_KEY,
    headers: { 'rivulet-account': 'ext:lee1' },
  })
  const { summary, notices } = await importing({
    edges: ['max1,kim1', '', 'lee1,kim1'],
    posts: [{ author: 'kim1', content: 'y', created_at: AT }],
  })
  expect([...summary.problems.byKind]).toEqual([['follow_refused', 1]])
  expect([summary.follows, summary.problems.total]).toEqual([1, 1])
  expect(notices.join('\n')).toContain('edges.csv:3: follow_refused')
})

describe('through a server that fails', () => {
  const people = 300
  const files = (name: string): Files => ({
    edges: range(2_500, (i) => `${name}${i % people},${name}${(i * 7 + 1 + (i % 11)) % people}`).filter(
      (row) => row.split(',')[0] !== row.split(',')[1],
    ),
    posts: range(2_300, (i) => ({ author: `${name}${i % 3}`, content: `No ${i}`, created_at: AT })),
  })

  async function expectWhole(name: string): Promise<void> {
    const { edges } = files(name)
    const followersOf = (account: string) =>
      new Set(
        edges
          .map((row) => row.split(','))
          .filter(([, to]) => to === account)
          .map(([from]) => from),
      ).size
    for (const i of [0, 1, 2, 77]) {
      const account = await server('GET', `/accounts/ext:${name}${i}`)
      expect(account.followers_count).toBe(followersOf(`${name}${i}`))
      expect(account.posts_count).toBe(i < 3 ? Math.ceil((2_300 - i) / 3) : 0)
    }
    const { posts } = await server('GET', `/accounts/ext:${name}1/posts?limit=100`)
    const expected = range(2_300, (i) => i).filter((i) => i % 3 === 1)
    expect(posts.map(({ content }: { content: string }) => content)).toEqual(
      expected
        .slice(-100)
        .reverse()
        .map((i) => `No ${i}`),
    )
  }

  test('each row is carried out once, and posts keep their order', async () => {
    const turns = ['drop', 'pass', 503, 'pass', 429, 'drop', 'pass', 504, 'pass'] as const
    const url = await before((n) => turns[n % turns.length])
    const { summary } = await importing(files('flaky'), { url })
    expect(summary).toMatchObject({ accounts: people, follows: files('flaky').edges.length, posts: 2_300 })
    await expectWhole('flaky')
  })

  test('an import that gave up goes on when it is run again', async () => {
    const url = await before((n) => (n < 3 ? 'pass' : n === 3 ? 'drop' : 503))
    await expect(importing(files('again'), { url, patienceMs: 0 })).rejects.toMatchObject({
      code: 'unavailable',
    })
    const { summary } = await importing(files('again'))
    expect(summary).toMatchObject({ follows: files('again').edges.length, posts: 2_300 })
    expect(summary.problems.total).toBe(0)
    await importing(files('again'))
    await expectWhole('again')
  })
})

describe('an import that cannot begin says why', () => {
  const files: Files = { edges: ['a1,b1'], posts: [{ author: 'a1', content: 'x', created_at: AT }] }

  test.each<[string, Partial<OnlineOptions>, string]>([
    ['another key', { serverKey: 'x'.repeat(30) }, 'config_invalid'],
    ['nobody listens', { url: 'http://127.0.0.1:9', patienceMs: 0 }, 'unavailable'],
  ])('%s', async (_name, options, code) => {
    await expect(importing(files, options)).rejects.toMatchObject({ code })
  })

  test('another server', async () => {
    const other = createServer((_request, response) => void response.end('hello'))
    servers.push(other)
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
    await expect(importing(files, { url })).rejects.toMatchObject({ code: 'import_invalid' })
  })

  test('with --strict, an invalid row ends it before anything is sent', async () => {
    const bad = { ...files, edges: ['zoe,yan', 'yan,yan'] }
    await expect(importing(bad, { isStrict: true })).rejects.toMatchObject({ code: 'import_invalid' })
    expect((await world.call('GET', '/api/v1/accounts/ext:zoe', { as: SERVER_KEY })).status).toBe(404)
  })
})

test('batches are bounded in items, size and values', async () => {
  const cut = async (count: number, chars: number, values: number) => {
    const sizes: number[] = []
    const items = range(count, () => ({ json: 'x'.repeat(chars), values, place: 0 }))
    for await (const batch of inBatches(items)) sizes.push(batch.length)
    return sizes
  }
  expect(await cut(2_100, 10, 4)).toEqual([LIMITS.batchItemsMax, LIMITS.batchItemsMax, 100])
  expect(Math.max(...(await cut(40, 500_000, 4))) * 500_000).toBeLessThan(LIMITS.batchBytesMax)
  expect(Math.max(...(await cut(200, 10, 4_000))) * 4_000).toBeLessThan(LIMITS.batchValuesMax)
  expect(await cut(2, 2 * LIMITS.batchBytesMax, 4)).toEqual([1, 1])
})

test('the command imports by --url, and refuses what contradicts it', async () => {
  const { edges, posts } = write({
    edges: ['cmd1,cmd2', 'cmd2,cmd2'],
    posts: [{ author: 'cmd2', content: 'By command', created_at: AT }],
  })
  const settings = { RIVULET_SERVER_KEY: SERVER_KEY }
  const ended = await run(['import', '--url', world.url, '--edges', edges, '--posts', posts], settings)
  expect(ended.stderr).toContain('edges.csv:2: self-loop')
  expect(ended).toMatchObject({ code: 3 })
  expect(ended.stdout).toMatch(/accounts {3}2 there\nfollows {4}1 there\nposts {6}1 there\nleft out {3}1 row/)
  expect(await server('GET', '/accounts/ext:cmd2')).toMatchObject({ followers_count: 1, posts_count: 1 })
  for (const wrong of [
    ['--url', world.url, '--edges', edges],
    ['--url', 'localhost', '--key', SERVER_KEY, '--edges', edges],
    ['--url', world.url, '--key', SERVER_KEY, '--data', 'x', '--edges', edges],
    ['--key', SERVER_KEY, '--data', 'x', '--edges', edges],
    ['--url', world.url, '--key', SERVER_KEY],
  ])
    expect(await run(['import', ...wrong])).toMatchObject({ code: 2, stdout: '' })
})
