/**
 * A stranger cannot learn of something that is hidden from them. Two worlds differ in one hidden thing only, and run on
 * simulated clocks, so that ids and times are equal, too. Every request of a stranger must get the same bytes in both.
 */

import pino from 'pino'
import { expect, test } from 'vitest'
import { createApi } from '../../src/app/server/api.ts'
import { createRivulet, type Rivulet } from '../../src/index.ts'
import { createMemoryEphemeral } from '../../src/ports/ephemeral/memory.ts'
import { createSimulatedEnv } from '../../src/ports/env/simulated.ts'
import { createMemoryLog } from '../../src/ports/log/memory/memory.ts'
import { createMemoryStore } from '../../src/ports/store/memory/memory.ts'
import { createMemoryViews, memoryViewsBytesMin } from '../../src/ports/views/memory/memory.ts'
import { createDriver } from '../feed/machine.ts'
import { SERVER_KEY, TOKEN_SECRET } from './world.ts'

const STEP_MS = 1_000
/** Fewer than are written, so that floors, pulls and refills take part. */
const TIMELINE_ENTRIES = 5
const POSTS = 30

interface Cast {
  /** Whose posts are read. */
  readonly author: number
  /** Follows the author, who does not follow it. */
  readonly follower: number
  /** Follows nobody. */
  readonly stranger: number
  /** Does what is hidden. */
  readonly hider: number
  /** Of the author, public. */
  readonly post: number
}

type Secret = (rivulet: Rivulet, cast: Cast) => Promise<unknown>

const posting =
  (visibility: 'self' | 'followers', what: (cast: Cast) => object): Secret =>
  ({ feed }, cast) =>
    feed.commands.post(cast.hider, { visibility, ...what(cast) })

const SECRETS: Record<string, Secret> = {
  'a reply for its author alone': posting('self', ({ post }) => ({ content: 'no', replyTo: post })),
  'a repost for its author alone': posting('self', ({ post }) => ({ repostOf: post })),
  'a post for its author alone': posting('self', () => ({ content: 'dear diary' })),
  'a reply for followers': posting('followers', ({ post }) => ({ content: 'psst', replyTo: post })),
  'a repost for followers': posting('followers', ({ post }) => ({ repostOf: post })),
  'a post for followers': posting('followers', () => ({ content: 'friends' })),
  'a hidden post that was deleted': async ({ feed }, { hider, post }) => {
    const { id } = await feed.commands.post(hider, { visibility: 'self', content: 'x', replyTo: post })
    await feed.commands.delete(hider, id)
  },
  'a mute': ({ graph }, { hider, author }) => graph.commands.mute(hider, author, true),
}

for (const [what, secret] of Object.entries(SECRETS)) {
  test(`strangers get the same bytes with and without ${what}`, async () => {
    expect(await answers(secret)).toEqual(await answers(undefined))
  })
}

test('the comparison can fail: a public reply is seen', async () => {
  const seen: Secret = ({ feed }, { hider, post }) =>
    feed.commands.post(hider, { content: 'hello', replyTo: post })
  expect(await answers(seen)).not.toEqual(await answers(undefined))
})

/** The answers to all requests that strangers can make, as text by request. */
async function answers(secret: Secret | undefined): Promise<Record<string, string>> {
  const env = createSimulatedEnv({ seed: 1, startMs: Date.UTC(2026, 0, 1) })
  const { driven, fail } = createDriver(env)
  const views = createMemoryViews({
    bytesMax: 64 * memoryViewsBytesMin(TIMELINE_ENTRIES),
    capacity: TIMELINE_ENTRIES,
  })
  const ports = {
    env,
    log: createMemoryLog({ env, partitions: 1 }),
    store: createMemoryStore({ env }),
    views,
  }
  const rivulet = createRivulet(ports, { secret: TOKEN_SECRET, onFatal: fail })
  await driven(rivulet.start())
  let startMs = env.wallMs()
  /** Each step begins at a fixed time, however long the steps before it took. */
  async function step<T>(task: () => Promise<T>): Promise<T> {
    startMs += STEP_MS
    env.advance(startMs - env.wallMs())
    return driven(task())
  }
  const cast = await play(rivulet, step, secret)
  await step(() => rivulet.settle())
  const api = await createApi({
    rivulet,
    env,
    ephemeral: createMemoryEphemeral({ env }),
    serverKey: SERVER_KEY,
    tokenSecret: TOKEN_SECRET,
    version: 'test',
    rateLimit: 'off',
    logger: pino({ level: 'silent' }),
    tokenTtlMs: 1e9,
    corsOrigins: [],
    notReady: () => undefined,
  })
  const found: Record<string, string> = {}
  for (const [name, viewer] of Object.entries({ stranger: cast.stranger, follower: cast.follower })) {
    for (const path of await paths(rivulet, cast)) {
      let next: string | undefined = path
      for (let page = 0; next !== undefined; page++) {
        const url: string = next
        const reply = await step(async () =>
          api.app.inject({ url: `/api/v1${url}`, headers: await acting(rivulet, viewer) }),
        )
        found[`${name} ${path} ${page}`] = reply.body.replaceAll(/"request_id":"[^"]*"/g, '')
        const cursor: unknown = reply.json().next_cursor
        next =
          typeof cursor === 'string' ? `${path}${path.includes('?') ? '&' : '?'}cursor=${cursor}` : undefined
      }
    }
  }
  await api.app.close()
  await step(() => rivulet.stop())
  return found
}

async function play(
  { graph, feed }: Rivulet,
  step: <T>(task: () => Promise<T>) => Promise<T>,
  secret: Secret | undefined,
): Promise<Cast> {
  const person = async (handle: string) => (await step(() => graph.commands.createAccount({ handle }))).number
  const [author, follower, stranger, hider] = [
    await person('author'),
    await person('follower'),
    await person('stranger'),
    await person('hider'),
  ]
  await step(() => graph.commands.follow(follower, author))
  await step(() => graph.commands.follow(hider, author))
  const { id: post } = await step(() => feed.commands.post(author, { content: 'first' }))
  const cast = { author, follower, stranger, hider, post }
  for (let i = 0; i < POSTS; i++) {
    const by = i % 2 === 0 ? author : hider
    await step(() => feed.commands.post(by, { content: `${i}` }))
    if (i === POSTS / 2) await step(async () => secret?.({ graph, feed } as Rivulet, cast))
  }
  return cast
}

async function paths({ graph }: Rivulet, cast: Cast): Promise<string[]> {
  const idOf = async (number: number) => (await graph.accounts.byNumbers([number]))[0]?.id
  const accounts = await Promise.all([cast.author, cast.hider].map(idOf))
  return [
    '/feed?limit=7',
    '/feed?limit=7&fields=ids',
    `/posts/${cast.post}`,
    `/posts/${cast.post}/likes?limit=2`,
    `/posts/${cast.post}/reposts?limit=2`,
    `/posts/${cast.post}/replies?limit=2`,
    `/posts/${cast.post}/replies?limit=2&order=oldest`,
    ...accounts.flatMap((id) => [
      `/accounts/${id}`,
      `/accounts/${id}/posts?limit=4`,
      `/accounts/${id}/followers`,
      `/accounts/${id}/following`,
      `/accounts/${id}/relationship`,
    ]),
  ]
}

async function acting({ graph }: Rivulet, number: number): Promise<Record<string, string>> {
  const [account] = await graph.accounts.byNumbers([number])
  return { authorization: `Bearer ${SERVER_KEY}`, 'rivulet-account': String(account?.id) }
}
