/**
 * Kills a real server under a load of writes over HTTP, again and again; after every second kill also damages
 * the end of the store's newest write-ahead file. Each restart holds every acknowledged post and follow, and
 * counts what it holds exactly. RIVULET_CRASH_ROUNDS sets how often.
 */

import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { pause, serve, SERVER_KEY, type Server } from '../cli/cli.ts'
import { env, tempFolder } from './folders.ts'

const ROUNDS = Number(process.env.RIVULET_CRASH_ROUNDS ?? 4)
const WRITERS = 12
const DAMAGED_BYTES_MAX = 40_000

interface Truth {
  /** Acknowledged posts by writer. */
  readonly posts: Map<string, number>
  /** Acknowledged follows; `undefined` where the last answer never came. */
  readonly follows: Map<string, boolean | undefined>
}

const writers = Array.from({ length: WRITERS }, (_, i) => `w${i}`)
const random = (end: number): number => Math.floor(env.random() * end)

async function call(server: Server, method: string, path: string, as?: string, body?: object) {
  const answer = await fetch(`${server.url}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${SERVER_KEY}`,
      ...(as === undefined ? {} : { 'rivulet-account': `ext:${as}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const json = (await answer.json()) as any
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(json)}`)
  return json
}

/** Writes until the server is gone. */
async function write(server: Server, truth: Truth, me: string): Promise<void> {
  for (;;) {
    const other = writers[random(WRITERS)]
    try {
      if (other === me || env.random() < 0.7) {
        const post = await call(server, 'POST', '/posts', me, { content: `by ${me}, ${env.random()}` })
        truth.posts.set(post.id, writers.indexOf(me))
      } else {
        const pair = `${me}>${other}`
        const on = truth.follows.get(pair) !== true
        truth.follows.set(pair, undefined)
        await call(server, on ? 'PUT' : 'DELETE', `/accounts/ext:${other}/follow`, me)
        truth.follows.set(pair, on)
      }
    } catch (error) {
      // The server went away during the request; an answer that refuses is a failure of the test.
      if (error instanceof Error && /: \d{3} /.test(error.message)) throw error
      return
    }
  }
}

async function listAll(server: Server, path: string, of: string): Promise<any[]> {
  const items: any[] = []
  for (let cursor = ''; ;) {
    const page = await call(server, 'GET', `${path}?limit=100${cursor}`)
    items.push(...page[of])
    if (page.next_cursor === null || page.next_cursor === undefined) return items
    cursor = `&cursor=${page.next_cursor}`
  }
}

/** Checks that everything acknowledged is there and counted; a request under way may have succeeded or not. */
async function check(server: Server, truth: Truth): Promise<void> {
  const found = new Map<string, number>()
  for (const [i, writer] of writers.entries()) {
    const account = await call(server, 'GET', `/accounts/ext:${writer}`)
    const posts = await listAll(server, `/accounts/ext:${writer}/posts`, 'posts')
    for (const { id } of posts) found.set(id, i)
    expect(account.posts_count, `posts of ${writer}`).toBe(posts.length)
    const follows = await listAll(server, `/accounts/ext:${writer}/following`, 'accounts')
    const followers = await listAll(server, `/accounts/ext:${writer}/followers`, 'accounts')
    expect(account.following_count, `follows of ${writer}`).toBe(follows.length)
    expect(account.followers_count, `followers of ${writer}`).toBe(followers.length)
    const [followed, following] = [follows, followers].map(
      (accounts) => new Set(accounts.map((other) => other.external_id)),
    )
    for (const other of writers) {
      const pair = `${writer}>${other}`
      const expected = truth.follows.get(pair)
      if (expected === undefined) truth.follows.set(pair, followed.has(other))
      else expect(followed.has(other), pair).toBe(expected)
      const reverse = truth.follows.get(`${other}>${writer}`)
      if (reverse !== undefined) expect(following.has(other), `${other}>${writer}`).toBe(reverse)
    }
  }
  const lost = [...truth.posts].filter(([id, author]) => found.get(id) !== author)
  expect(lost, 'acknowledged, but gone').toEqual([])
  for (const [id, author] of found) truth.posts.set(id, author)
}

/** Cuts off or overwrites an end of the newest write-ahead file. */
async function damageStore(data: string): Promise<void> {
  const folder = join(data, 'store')
  const logs = (await readdir(folder)).filter((name) => name.endsWith('.log')).sort()
  const path = join(folder, logs.at(-1) ?? '')
  const { size } = await stat(path)
  const bytes = 1 + random(Math.min(size, DAMAGED_BYTES_MAX))
  const file = await open(path, 'r+')
  try {
    if (env.random() < 0.5) await file.truncate(Math.max(0, size - bytes))
    else {
      const at = Math.max(0, size - bytes)
      await file.write(env.randomBytes(1 + random(bytes)), 0, undefined, at)
    }
  } finally {
    await file.close()
  }
}

test(
  `${ROUNDS} kills of a server under load lose nothing`,
  { timeout: 60_000 + ROUNDS * 15_000 },
  async () => {
    const data = join(tempFolder(), 'data')
    const truth: Truth = { posts: new Map(), follows: new Map() }
    const first = await serve(data)
    await Promise.all(writers.map((writer) => call(first, 'PUT', `/accounts/ext:${writer}`, undefined, {})))
    expect(await first.stop()).toMatchObject({ code: 0 })
    for (let round = 0; round < ROUNDS; round++) {
      const server = await serve(data)
      await check(server, truth)
      const before = truth.posts.size
      const writing = Promise.all(writers.map((writer) => write(server, truth, writer)))
      const acknowledged = 10 + random(150)
      while (truth.posts.size < before + acknowledged) await pause(2)
      await server.kill()
      await writing
      if (round % 2 === 1) await damageStore(data)
    }
    const last = await serve(data)
    await check(last, truth)
    expect(await last.stop()).toMatchObject({ code: 0 })
  },
)
