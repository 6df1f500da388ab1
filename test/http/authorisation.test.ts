/**
 * Who may do what: every operation of the OpenAPI document × {owner, other, blocked, anonymous, server key}.
 * A new route appears here by itself and fails until somebody says what it should answer.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OpenApi, Operation } from './contract.ts'
import { createWorld, SERVER_KEY, type Person, type Reply, type World } from './world.ts'

const CALLERS = ['owner', 'other', 'blocked', 'anonymous', 'server'] as const
type Caller = (typeof CALLERS)[number]
type Expected = Readonly<Record<Caller, number>>

/** By who may call at all. Without an account, the application must say for whom it acts. */
const OPEN: Expected = { owner: 200, other: 200, blocked: 200, anonymous: 200, server: 200 }
const SERVER: Expected = { owner: 403, other: 403, blocked: 403, anonymous: 401, server: 200 }
const AUTHENTICATED: Expected = { ...OPEN, anonymous: 401 }
const ACCOUNT: Expected = { ...AUTHENTICATED, server: 400 }

/** The owner is who the address or the post belongs to, and blocks `blocked`. */
const EXPECTED: Readonly<Record<string, Expected>> = {
  createAccount: { ...SERVER, server: 201 },
  putAccount: SERVER,
  createToken: { ...SERVER, server: 201 },
  putTier: SERVER,
  getPolicy: SERVER,
  patchPolicy: SERVER,
  getAccount: AUTHENTICATED,
  batchAccounts: SERVER,
  batchFollows: SERVER,
  batchPosts: SERVER,
  getAccountByHandle: AUTHENTICATED,
  getMe: ACCOUNT,
  patchMe: ACCOUNT,
  getBlocks: ACCOUNT,
  getMutes: ACCOUNT,
  getFollowers: AUTHENTICATED,
  getFollowing: AUTHENTICATED,
  getAccountPosts: AUTHENTICATED,
  follow: { ...ACCOUNT, owner: 400, blocked: 403 },
  unfollow: ACCOUNT,
  block: { ...ACCOUNT, owner: 400 },
  unblock: { ...ACCOUNT, owner: 400 },
  mute: { ...ACCOUNT, owner: 400 },
  unmute: { ...ACCOUNT, owner: 400 },
  createPost: { ...ACCOUNT, owner: 201, other: 201, blocked: 201 },
  getPost: { ...AUTHENTICATED, blocked: 404 },
  deletePost: { ...ACCOUNT, other: 403, blocked: 404 },
  lookupPosts: AUTHENTICATED,
  getReceipt: { ...AUTHENTICATED, other: 404, blocked: 404 },
  like: { ...ACCOUNT, blocked: 404 },
  unlike: { ...ACCOUNT, blocked: 404 },
  getLikes: { ...AUTHENTICATED, blocked: 404 },
  getReposts: { ...AUTHENTICATED, blocked: 404 },
  getReplies: { ...AUTHENTICATED, blocked: 404 },
  getThread: { ...AUTHENTICATED, blocked: 404 },
  getFeed: ACCOUNT,
  getIndex: OPEN,
  getHealth: OPEN,
  getReadiness: OPEN,
  getMetrics: OPEN,
  getOpenApi: OPEN,
}

let world: World
let people = 0

beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.close())

const v1 = (method: string, path: string, as?: string, body?: unknown) =>
  world.call(method, `/api/v1${path}`, { as, body })

interface Scene {
  readonly owner: Person
  readonly other: Person
  readonly blocked: Person
  readonly post: string
}

async function scene(post: object = { content: 'A post.' }): Promise<Scene> {
  const [owner, other, blocked] = await Promise.all(
    ['owner', 'other', 'blocked'].map((name) => world.person(`${name}${people++}`)),
  )
  await v1('PUT', `/accounts/${blocked.id}/block`, owner.token)
  const made = await v1('POST', '/posts', owner.token, post)
  return { owner, other, blocked, post: made.json.id }
}

const tokenOf = (caller: Caller, { owner, other, blocked }: Scene): string | undefined =>
  ({
    owner: owner.token,
    other: other.token,
    blocked: blocked.token,
    anonymous: undefined,
    server: SERVER_KEY,
  })[caller]

function bodyOf({ operationId }: Operation, { owner, post }: Scene): object | undefined {
  const bodies: Record<string, object> = {
    createAccount: {},
    putAccount: {},
    createToken: { account_id: owner.id },
    patchMe: { bio: 'Mine.' },
    batchAccounts: { items: [{}] },
    batchFollows: { items: [{ follower: owner.id, followee: owner.id }] },
    batchPosts: { items: [{ author: owner.id, content: 'Another.' }] },
    putTier: { tier: 'auto' },
    patchPolicy: { inactive_days: 30 },
    createPost: { content: 'Another.' },
    lookupPosts: { ids: [post] },
  }
  return bodies[operationId]
}

function pathOf(path: string, { operationId }: Operation, { owner, post }: Scene): string {
  const id = path.includes('/posts/{id}')
    ? post
    : operationId === 'putAccount'
      ? `ext:${nameOf(owner)}`
      : operationId === 'getAccountByHandle'
        ? nameOf(owner)
        : owner.id
  return path.replace(/\{[^}]+\}/, id)
}
const nameOf = (person: Person): string => names.get(person.id) ?? ''
const names = new Map<string, string>()

describe('every operation, every caller', async () => {
  // The table of tests is made before hooks run: a server of its own gives the document.
  const other = await createWorld()
  const document = other.api.app.swagger() as unknown as OpenApi
  await other.close()
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  )

  it.each(operations)('$method $path', async ({ path, method, operation }) => {
    const expected = EXPECTED[operation.operationId]
    expect(expected, `${operation.operationId} is not in the table`).toBeDefined()
    const found: Record<string, number> = {}
    for (const caller of CALLERS) {
      const stage = await scene()
      const external = await v1('GET', `/accounts/${stage.owner.id}`, SERVER_KEY)
      names.set(stage.owner.id, external.json.external_id)
      const reply = await world.call(method, pathOf(path, operation, stage), {
        as: tokenOf(caller, stage),
        body: bodyOf(operation, stage),
      })
      found[caller] = reply.status
    }
    expect(found).toEqual(expected)
  })

  it('says in the document who may call', () => {
    for (const { operation } of operations) {
      const expected = EXPECTED[operation.operationId]
      const schemes = operation.security.flatMap((option) => Object.keys(option)).sort()
      const isOpen = expected.anonymous === 200
      const isServerOnly = !isOpen && expected.owner === 403 && expected.other === 403
      expect(schemes).toEqual(isOpen ? [] : isServerOnly ? ['server'] : ['account', 'server'])
    }
  })
})

describe('hidden and unknown', () => {
  const ask = (method: string, path: string, as: string, body?: unknown) =>
    world.call(method, `/api/v1${path}`, { as, body, headers: { 'x-request-id': 'same' } })

  function same(a: Reply, b: Reply): void {
    expect(a.status).toBe(404)
    expect(a.text).toBe(b.text)
    const headersOf = (reply: Reply) => [...reply.headers].filter(([name]) => name !== 'date')
    expect(headersOf(a)).toEqual(headersOf(b))
  }

  it.each<[string, object, 'other' | 'blocked']>([
    ['of who blocks the reader', { content: 'x' }, 'blocked'],
    ['for followers', { content: 'x', visibility: 'followers' }, 'other'],
    ['for nobody else', { content: 'x', visibility: 'self' }, 'other'],
  ])('a post %s', async (_name, post, who) => {
    const stage = await scene(post)
    const { token } = stage[who]
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/receipt'],
      ['DELETE', ''],
      ['PUT', '/like'],
      ['DELETE', '/like'],
      ['GET', '/likes'],
      ['GET', '/reposts'],
      ['GET', '/replies'],
      ['GET', '/thread'],
    ]) {
      same(
        await ask(method, `/posts/${stage.post}${path}`, token),
        await ask(method, `/posts/5${path}`, token),
      )
    }
    for (const field of ['reply_to', 'repost_of']) {
      const content = field === 'reply_to' ? { content: 'x' } : {}
      same(
        await ask('POST', '/posts', token, { ...content, [field]: stage.post }),
        await ask('POST', '/posts', token, { ...content, [field]: '5' }),
      )
    }
    const looked = await ask('POST', '/posts/lookup', token, { ids: [stage.post, '5'] })
    expect(looked.json).toEqual({ posts: [], missing: [stage.post, '5'] })
    expect((await ask('GET', `/accounts/${stage.owner.id}/posts`, token)).json.posts).toEqual([])
  })

  it('a deleted post, for its author and for others', async () => {
    const stage = await scene()
    await v1('DELETE', `/posts/${stage.post}`, stage.owner.token)
    const { owner, other } = stage
    for (const [method, path, as] of [
      ['GET', '', owner.token],
      ['GET', '/receipt', owner.token],
      ['GET', '', other.token],
      ['DELETE', '', other.token],
      ['PUT', '/like', owner.token],
      ['GET', '/likes', other.token],
    ]) {
      same(await ask(method, `/posts/${stage.post}${path}`, as), await ask(method, `/posts/5${path}`, as))
    }
  })

  it('a repost of what one may not see', async () => {
    const stage = await scene()
    const repost = await v1('POST', '/posts', stage.other.token, { repost_of: stage.post })
    expect((await v1('GET', `/posts/${repost.json.id}`, stage.owner.token)).status).toBe(200)
    expect((await v1('GET', `/posts/${repost.json.id}`, stage.blocked.token)).status).toBe(404)
  })

  it('a block works both ways, and at once', async () => {
    const stage = await scene()
    const theirs = await v1('POST', '/posts', stage.blocked.token, { content: 'x' })
    expect((await v1('GET', `/posts/${theirs.json.id}`, stage.owner.token)).status).toBe(404)
    await v1('DELETE', `/accounts/${stage.blocked.id}/block`, stage.owner.token)
    expect((await v1('GET', `/posts/${stage.post}`, stage.blocked.token)).status).toBe(200)
  })
})
