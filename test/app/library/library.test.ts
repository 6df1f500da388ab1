/** The library: its calls give the results and the errors that HTTP gives, and end when it is closed. */

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  isRivuletError,
  openRivulet,
  RivuletError,
  type ErrorCode,
  type OpenOptions,
  type OpenRivulet,
} from '../../../src/index.ts'
import { createRealEnv } from '../../../src/ports/env/real.ts'
import { createMemoryLog } from '../../../src/ports/log/memory/memory.ts'
import type { Store } from '../../../src/ports/store/store.ts'
import { createMemoryStore } from '../../../src/ports/store/memory/memory.ts'

let root: string
beforeAll(() => void (root = mkdtempSync(join(tmpdir(), 'rivulet-library-'))))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let folders = 0
const newFolder = () => join(root, `data-${folders++}`)

const opened: OpenRivulet[] = []
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
})
async function open(options: OpenOptions): Promise<OpenRivulet> {
  const rivulet = await openRivulet(options)
  opened.push(rivulet)
  return rivulet
}

const env = createRealEnv()
const memory = (store: Store = createMemoryStore({ env })) => ({
  log: createMemoryLog({ env, partitions: 4 }),
  store,
})

/** In memory, with a few people in it. */
async function openWorld(): Promise<OpenRivulet> {
  const rivulet = await open({ ports: memory() })
  for (const name of ['ann', 'bob', 'cyd']) await rivulet.accounts.put(`ext:${name}`, { handle: name })
  return rivulet
}

async function codeOf(call: () => Promise<unknown>): Promise<ErrorCode | undefined> {
  const error = await call().then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(RivuletError)
  return isRivuletError(error) ? error.code : undefined
}

test('every call gives the answer that HTTP gives', async () => {
  const rivulet = await openWorld()
  const ann = rivulet.as('ext:ann')
  await ann.follow('ext:bob')
  const post = await rivulet.as('ext:bob').posts.create({ content: 'Hello', custom: { at: [1, null] } })
  const repost = await ann.posts.create({ repost_of: post.id })
  await rivulet.settle()
  const { url } = await rivulet.listen({ port: 0 })

  async function http(path: string, as?: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${url}/api/v1${path}`, {
      headers: {
        authorization: `Bearer ${rivulet.serverKey}`,
        ...(as === undefined ? {} : { 'rivulet-account': as }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    })
    expect(response.status).toBe(200)
    return response.json()
  }
  /** Cursors are sealed with something random. */
  const opened = (page: object) => ({ ...page, next_cursor: '', after: '', as_of: '' })

  expect(await rivulet.accounts.get('ext:ann')).toEqual(await http('/accounts/ext:ann'))
  expect(await ann.accounts.get('ext:bob')).toEqual(await http('/accounts/ext:bob', 'ext:ann'))
  expect(await ann.accounts.posts('ext:bob')).toEqual(await http('/accounts/ext:bob/posts', 'ext:ann'))
  expect(await ann.accounts.followers('ext:bob')).toEqual(
    await http('/accounts/ext:bob/followers', 'ext:ann'),
  )
  expect(await rivulet.accounts.following('ext:ann')).toEqual(await http('/accounts/ext:ann/following'))
  await ann.patch({ handle: 'annie' })
  expect(await rivulet.accounts.byHandle('ANNIE')).toEqual(await http('/accounts/by-handle/annie'))
  expect(await ann.me()).toEqual(await http('/me', 'ext:ann'))
  for (const [list, path] of [
    [ann.blocks, '/me/blocks'],
    [ann.mutes, '/me/mutes'],
  ] as const)
    expect(await list({ limit: 5 })).toEqual(await http(`${path}?limit=5`, 'ext:ann'))
  expect(await ann.posts.get(post.id)).toEqual(await http(`/posts/${post.id}`, 'ext:ann'))
  const ids = [repost.id, '123', post.id]
  expect(await ann.posts.lookup(ids)).toEqual(await http('/posts/lookup', 'ext:ann', { ids }))
  expect(await rivulet.posts.receipt(post.id)).toEqual(await http(`/posts/${post.id}/receipt`))
  expect(await ann.posts.like(post.id)).toMatchObject({ post_id: post.id, liked: true, counts: { likes: 1 } })
  expect(await ann.posts.likes(post.id)).toEqual(await http(`/posts/${post.id}/likes`, 'ext:ann'))
  expect(await ann.posts.reposts(post.id)).toEqual(await http(`/posts/${post.id}/reposts`, 'ext:ann'))
  expect(await ann.posts.replies(post.id)).toEqual(await http(`/posts/${post.id}/replies`, 'ext:ann'))
  expect(await ann.posts.thread(post.id)).toEqual(await http(`/posts/${post.id}/thread`, 'ext:ann'))
  expect(await ann.posts.unlike(post.id)).toMatchObject({ liked: false, counts: { likes: 0 } })
  expect(await rivulet.policy.get()).toEqual(await http('/admin/policy'))
  expect(opened(await ann.feed({ limit: 1 }))).toEqual(
    opened((await http('/feed?limit=1', 'ext:ann')) as object),
  )
  const idsOnly = await ann.feed({ fields: 'ids' })
  expect(opened(idsOnly)).toEqual(opened((await http('/feed?fields=ids', 'ext:ann')) as object))
  expect((await rivulet.as(post.author.id).feed()).posts.map(({ id }) => id)).toEqual([post.id])
})

test('an application runs on it: accounts, relationships, posts, feeds, tokens, policy', async () => {
  const rivulet = await openWorld()
  const [ann, bob] = [rivulet.as('ext:ann'), rivulet.as('ext:bob')]
  expect(await rivulet.accounts.create({ external_id: 'dan', display_name: 'Dan' })).toMatchObject({
    external_id: 'dan',
    followers_count: 0,
  })
  expect(await rivulet.accounts.put('ext:dan', { bio: 'here' })).toMatchObject({
    display_name: 'Dan',
    bio: 'here',
  })
  expect(await ann.follow('ext:bob')).toMatchObject({ following: true, blocking: false })
  const first = await bob.posts.create({ content: 'one' })
  const page = await ann.feed()
  expect(page.posts.map(({ content }) => content)).toEqual(['one'])
  await bob.posts.create({ content: 'two' })
  await rivulet.settle()
  expect((await ann.feed({ after: page.after })).posts.map(({ content }) => content)).toContain('two')
  expect(await bob.posts.delete(first.id)).toEqual({ id: first.id, deleted: true })
  expect((await ann.feed()).posts.map(({ content }) => content)).toEqual(['two'])
  expect(await ann.mute('ext:bob')).toMatchObject({ muting: true })
  expect((await ann.feed()).posts).toEqual([])
  expect((await ann.mutes()).accounts).toMatchObject([{ external_id: 'bob' }])
  expect(await ann.unmute('ext:bob')).toMatchObject({ muting: false })
  expect(await bob.block('ext:ann')).toMatchObject({ blocking: true })
  expect(await ann.relationship('ext:bob')).toMatchObject({ following: false })
  expect((await bob.blocks()).accounts).toMatchObject([{ external_id: 'ann' }])
  expect(await bob.patch({ bio: 'Builds.' })).toMatchObject({ external_id: 'bob', bio: 'Builds.' })
  expect(await bob.me()).toMatchObject({ bio: 'Builds.', posts_count: 1 })
  expect(await bob.unblock('ext:ann')).toMatchObject({ blocking: false })
  expect(await ann.unfollow('ext:bob')).toMatchObject({ following: false })
  expect(await rivulet.policy.patch({ push_threshold_followers: 7 })).toMatchObject({
    push_threshold_followers: 7,
  })
  expect(await rivulet.tiers.put('ext:bob', { tier: 'pull' })).toMatchObject({ tier: 'pull' })

  const { token } = await rivulet.tokens.create('ext:ann')
  const { url } = await rivulet.listen({ port: 0 })
  const answer = await fetch(`${url}/api/v1/feed`, { headers: { authorization: `Bearer ${token}` } })
  expect(answer.status).toBe(200)
})

test('many writes are one call, with a result for each', async () => {
  const rivulet = await openWorld()
  const accounts = await rivulet.batch.accounts([{ external_id: 'eve' }, { handle: '-' }])
  expect(accounts).toMatchObject([
    { status: 201, external_id: 'eve' },
    { status: 400, problem: { code: 'invalid_request', retriable: false } },
  ])
  expect(await rivulet.batch.follows([{ follower: 'ext:eve', followee: 'ext:ann' }])).toMatchObject([
    { status: 200, following: true },
  ])
  const items = [{ author: 'ext:ann', content: 'Batched', idempotency_key: 'batched' }]
  const [post] = await rivulet.batch.posts(items)
  expect(await rivulet.batch.posts(items)).toEqual([post])
  expect((await rivulet.as('ext:eve').feed()).posts).toMatchObject([{ content: 'Batched' }])
  await expect(rivulet.batch.posts([])).rejects.toMatchObject({ code: 'invalid_request' })
  const large = Array.from({ length: 9 }, () => ({ author: 'ext:ann', content: 'x'.repeat(2 ** 20) }))
  await expect(rivulet.batch.posts(large)).rejects.toMatchObject({ code: 'payload_too_large' })
})

test('a call that is refused has the code that HTTP has', async () => {
  const rivulet = await openWorld()
  const ann = rivulet.as('ext:ann')
  const anything = (value: unknown) => value as never
  const cycle: Record<string, unknown> = {}
  cycle.again = cycle
  const refused: [ErrorCode, () => Promise<unknown>][] = [
    ['not_found', () => rivulet.accounts.get('ext:nobody')],
    ['not_found', () => rivulet.as('ext:nobody').feed()],
    ['invalid_id', () => rivulet.accounts.get('nobody')],
    ['invalid_request', () => rivulet.posts.lookup(anything('47'))],
    ['invalid_request', () => rivulet.posts.lookup(anything(undefined))],
    ['invalid_request', () => rivulet.posts.lookup(anything({ ids: ['1'] }))],
    ['invalid_request', () => ann.posts.create({ content: 'x' }, anything({ idempotency_key: 'k' }))],
    ['invalid_request', () => ann.posts.create({ content: 'x' }, anything('k'))],
    ['invalid_request', () => ann.posts.create({ content: 'x' }, anything(null))],
    ['invalid_request', () => ann.posts.create({ content: 'x', custom: null })],
    ['invalid_id', () => ann.posts.get('x/../y')],
    ['invalid_request', () => rivulet.accounts.get(anything(undefined))],
    ['invalid_request', () => rivulet.accounts.get('ext:\ud800')],
    ['invalid_request', () => rivulet.accounts.put(anything('12'), {})],
    ['handle_taken', () => rivulet.accounts.create({ handle: 'ann' })],
    ['follow_self', () => ann.follow('ext:ann')],
    ['invalid_request', () => ann.feed({ limit: 101 })],
    ['invalid_request', () => ann.feed(anything({ limits: 1 }))],
    ['invalid_request', () => ann.feed(anything('10'))],
    ['invalid_cursor', () => ann.feed({ cursor: 'AAAA' })],
    ['invalid_request', () => ann.posts.create({})],
    ['invalid_request', () => ann.posts.create(anything(undefined))],
    ['invalid_request', () => ann.posts.create({ content: anything(7) })],
    ['invalid_request', () => ann.posts.create({ custom: 7n })],
    ['invalid_request', () => ann.posts.create({ custom: cycle })],
    ['payload_too_large', () => ann.posts.create({ custom: 'x'.repeat(600_000) })],
    ['invalid_request', () => ann.posts.create({ content: 'x' }, { idempotencyKey: 'two words' })],
    ['invalid_request', () => ann.posts.create({ content: 'x' }, { idempotencyKey: anything(7) })],
  ]
  for (const [code, call] of refused)
    expect([call.toString(), await codeOf(call)]).toEqual([call.toString(), code])
  expect(() => rivulet.as(anything(7))).toThrow(RivuletError)
})

test('arguments are copied at the call, and undefined fields count as left out', async () => {
  const ann = (await openWorld()).as('ext:ann')
  const custom = { tags: ['a'] }
  const creating = ann.posts.create({ content: 'x', custom, reply_to: undefined } as never)
  custom.tags.push('b')
  const post = await creating
  expect(post.custom).toEqual({ tags: ['a'] })
  expect((await ann.feed({ limit: undefined } as never)).posts).toHaveLength(1)
})

test('a write with a key happens once, here and over HTTP', async () => {
  const rivulet = await openWorld()
  const ann = rivulet.as('ext:ann')
  const first = await ann.posts.create({ content: 'once' }, { idempotencyKey: 'key-1' })
  expect((await ann.posts.create({ content: 'once' }, { idempotencyKey: 'key-1' })).id).toBe(first.id)
  expect(await codeOf(() => ann.posts.create({ content: 'other' }, { idempotencyKey: 'key-1' }))).toBe(
    'idempotency_key_reused',
  )
  await ann.follow('ext:bob', { idempotencyKey: 'key-2' })
  const { url } = await rivulet.listen({ port: 0 })
  const headers = {
    authorization: `Bearer ${rivulet.serverKey}`,
    'rivulet-account': 'ext:ann',
    'content-type': 'application/json',
  }
  const again = await fetch(`${url}/api/v1/posts`, {
    method: 'POST',
    headers: { ...headers, 'idempotency-key': 'key-1' },
    body: '{"content":"once"}',
  })
  expect(again.headers.get('idempotency-replayed')).toBe('true')
  expect(await again.json()).toMatchObject({ id: first.id })
  const followed = await fetch(`${url}/api/v1/accounts/ext:bob/follow`, {
    method: 'PUT',
    headers: {
      authorization: headers.authorization,
      'rivulet-account': 'ext:ann',
      'idempotency-key': 'key-2',
    },
  })
  expect(followed.headers.get('idempotency-replayed')).toBe('true')
})

test('a folder keeps its data, has one owner, and is released when it is closed', async () => {
  const data = newFolder()
  const rivulet = await open({ data, serverKey: 'a-key-of-my-own', timelinesMib: 64, postCacheMib: 16 })
  expect(rivulet.serverKey).toBe('a-key-of-my-own')
  await rivulet.accounts.put('ext:ann', {})
  const { id } = await rivulet.as('ext:ann').posts.create({ content: 'kept' })
  expect(await codeOf(() => openRivulet({ data }))).toBe('data_locked')
  await Promise.all([rivulet.close(), rivulet.close()])
  for (const call of [() => rivulet.posts.get(id), () => rivulet.listen({ port: 0 }), () => rivulet.settle()])
    expect(await codeOf(call)).toBe('shutting_down')
  const again = await open({ data })
  expect(await again.posts.get(id)).toMatchObject({ content: 'kept' })
})

test('calls under way are answered before it is closed', async () => {
  const rivulet = await openWorld()
  const ann = rivulet.as('ext:ann')
  const posting = Array.from({ length: 50 }, (_, n) => ann.posts.create({ content: `post ${n}` }))
  await rivulet.close()
  expect(await Promise.all(posting)).toHaveLength(50)
})

test.each<[string, object]>([
  ['an unknown option', { dta: 'x' }],
  ['a number out of range', { timelinesMib: 0 }],
  ['no number', { port: Number.NaN }],
  ['null', { data: null }],
  ['another type', { serverKey: {} }],
  ['engines by halves', { kafka: ['localhost:9092'] }],
  ['ports and a folder', { ports: memory(), data: 'x' }],
])('options are checked: %s', async (_name, options) => {
  expect(await codeOf(() => openRivulet(options as OpenOptions))).toBe('config_invalid')
})

test('the library does not read the environment', async () => {
  process.env.RIVULET_DATA = newFolder()
  process.env.RIVULET_NO_SUCH_SETTING = '1'
  try {
    expect((await open({ ports: memory() })).serverKey).toMatch(/^rvk_/)
  } finally {
    delete process.env.RIVULET_DATA
    delete process.env.RIVULET_NO_SUCH_SETTING
  }
})

test('an address that cannot be used is refused, and listening at another one then works', async () => {
  const holder = createServer()
  const port = await new Promise<number>((resolve) =>
    holder.listen(0, '127.0.0.1', () => resolve((holder.address() as { port: number }).port)),
  )
  const rivulet = await openWorld()
  expect(await codeOf(() => rivulet.listen({ port }))).toBe('unavailable')
  const { url } = await rivulet.listen({ port: 0 })
  expect((await fetch(`${url}/readyz`)).status).toBe(200)
  expect(await codeOf(() => rivulet.listen({ port: 0 }))).toBe('conflict')
  await new Promise((resolve) => holder.close(resolve))
})

test('a fatal error is reported once, and from then on every call is refused', async () => {
  const store = createMemoryStore({ env })
  let isBroken = false
  const broken = new RivuletError('disk_error', 'the disk is gone')
  const failing: Store = {
    ...store,
    write: async (rows) => (isBroken ? Promise.reject(broken) : store.write(rows)),
  }
  const told: unknown[] = []
  const rivulet = await open({
    ports: memory(failing),
    onFatal: (error) => told.push(error),
    logLevel: 'silent',
  })
  await rivulet.accounts.put('ext:ann', {})
  const { url } = await rivulet.listen({ port: 0 })
  isBroken = true
  await rivulet
    .as('ext:ann')
    .posts.create({ content: 'x' })
    .catch(() => undefined)
  expect(told).toEqual([broken])
  expect(await codeOf(() => rivulet.accounts.get('ext:ann'))).toBe('disk_error')
  await expect(fetch(`${url}/readyz`)).rejects.toThrow()
})

test('an address is validated as the settings are, and a wrong one does no harm', async () => {
  const rivulet = await openWorld()
  const anything = (value: unknown) => value as never
  for (const at of [{ port: 99_999 }, { port: 'x' }, { host: 'a b' }, { prt: 1 }, { data: './elsewhere' }])
    expect(await codeOf(() => rivulet.listen(anything(at)))).toBe('config_invalid')
  const taken = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => taken.once('listening', resolve))
  const { port } = taken.address() as { port: number }
  for (let i = 0; i < 2; i++) expect(await codeOf(() => rivulet.listen({ port }))).toBe('unavailable')
  taken.close()
  const { url } = await rivulet.listen({ port: 0 })
  expect((await fetch(`${url}/healthz`)).status).toBe(200)
})

test('a folder whose secret is missing warns of it', async () => {
  const data = newFolder()
  const warned: { msg: string }[] = []
  const write = (line: string) => void warned.push(JSON.parse(line) as { msg: string })
  const logger = pino({ level: 'warn' }, { write })
  const first = await openRivulet({ data, logger })
  await first.accounts.put('ext:ann', {})
  await first.close()
  expect(warned).toEqual([])
  rmSync(join(data, 'secret.key'))
  await open({ data, logger })
  expect(warned).toEqual([
    expect.objectContaining({ msg: expect.stringMatching(/secret\.key was missing, .* are refused; /) }),
  ])
})
