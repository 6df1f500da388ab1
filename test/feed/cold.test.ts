/** Readers whose timelines are lost get full pages or are told to ask again; no page passes for the last one. */

import { homeView } from '../../src/feed/index.ts'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { isRivuletError, RivuletError } from '../../src/core/errors.ts'
import { outboxTable } from '../../src/feed/index.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'
import { createSimulatedEnv } from '../../src/ports/env/simulated.ts'
import type { Store } from '../../src/ports/store/store.ts'
import { createMemoryViews, openMemoryViews } from '../../src/ports/views/memory/memory.ts'
import { openColdWorld, type ColdWorld } from './cold-world.ts'
import { createDriver } from './machine.ts'

const env = createRealEnv()
const opened: ColdWorld[] = []
async function open(...args: Parameters<typeof openColdWorld>): Promise<ColdWorld> {
  const world = await openColdWorld(...args)
  opened.push(world)
  return world
}
afterEach(async () => {
  for (const world of opened.splice(0)) await world.stop()
})

const readsOutboxes = (ranges: readonly { readonly table: { readonly name: string } }[]): boolean =>
  ranges.some(({ table }) => table.name === outboxTable.name)

/** Reads a whole feed as a client would that asks again when it is told to. */
async function readAll({ rivulet }: ColdWorld, reader: number, limit: number): Promise<number[]> {
  const ids: number[] = []
  for (let cursor: string | undefined; ;) {
    const page = await rivulet.feed.reads.home(reader, { limit, cursor }).catch((error: unknown) => {
      if (!isRivuletError(error, 'not_ready')) throw error
    })
    if (page === undefined) continue
    ids.push(...page.items.map(({ id }) => id))
    if (!page.hasMore) return ids
    expect(page.items.length).toBeGreaterThan(0)
    cursor = page.nextCursor
  }
}

test('very many cold readers at once get full pages, and their outboxes are read once', async () => {
  const world = await open({ authors: 1_000, postsAnAuthor: 3, readers: 60, follows: 500 })
  const { rivulet, readers, feedOf } = world
  const pages = await Promise.all(readers.map((reader) => rivulet.feed.reads.home(reader, { limit: 20 })))
  pages.forEach((page, i) => {
    expect(page.items.map(({ id }) => id)).toEqual(feedOf(readers[i]).slice(0, 20))
    expect([page.hasMore, page.complete, page.failedSources]).toEqual([true, true, []])
  })
  await rivulet.settle()
  // By pages and rebuilds of all readers together, each outbox is read once; each reader's own one besides.
  expect(rivulet.feed.outboxes.stats.loads).toBeLessThanOrEqual(1_000 + readers.length)
})

test('many readers who scroll below their timelines at once reach the very first post', async () => {
  const world = await open({ authors: 500, postsAnAuthor: 3, readers: 6, follows: 400 })
  const feeds = await Promise.all(world.readers.map((reader) => readAll(world, reader, 100)))
  feeds.forEach((ids, i) => expect(ids).toEqual(world.feedOf(world.readers[i])))
})

test('a cold reader who follows very many accounts gets the right pages', async () => {
  const world = await open({ authors: 7_500, postsAnAuthor: 1, readers: 1, follows: 7_500 })
  const [reader] = world.readers
  expect((await readAll(world, reader, 100)).slice(0, 300)).toEqual(world.feedOf(reader).slice(0, 300))
})

test('a page that is late is put off, and what was read for it is not read again', async () => {
  const env = createSimulatedEnv({ seed: 1, startMs: Date.UTC(2026, 5, 1) })
  const { driven } = createDriver(env)
  const slow = (store: Store): Store => ({
    ...store,
    async range(ranges) {
      if (readsOutboxes(ranges)) await new Promise<void>((resolve) => void env.timer(20_000, resolve))
      return store.range(ranges)
    },
  })
  const { rivulet, readers, feedOf } = await driven(
    openColdWorld({ authors: 300, postsAnAuthor: 2, readers: 1, follows: 300 }, { env, wrap: slow }),
  )
  const [reader] = readers
  const read = () =>
    driven(rivulet.feed.reads.home(reader, { limit: 20 })).then(
      (page) => page.items.map(({ id }) => id),
      (error: unknown) => (error instanceof RivuletError ? error : Promise.reject(error)),
    )
  const answers = [await read()]
  while (!Array.isArray(answers.at(-1)) && answers.length < 30) answers.push(await read())
  expect(answers.length).toBeGreaterThan(1)
  for (const answer of answers.slice(0, -1)) {
    expect(answer).toMatchObject({ code: 'not_ready', status: 503, retriable: true })
    expect((answer as RivuletError).retryAfterMs).toBeGreaterThanOrEqual(1_000)
  }
  expect(answers.at(-1)).toEqual(feedOf(reader).slice(0, 20))
  expect(rivulet.feed.outboxes.stats.loads).toBeLessThanOrEqual(300 + answers.length)
  expect(rivulet.feed.reads.stats.notReady).toBe(answers.length - 1)
  await driven(rivulet.stop())
})

test('a page that is asked for again does not claim posts that a pull under way missed', async () => {
  const held: (() => void)[] = []
  let isHolding = false
  let told = () => {}
  const isHeld = new Promise<void>((resolve) => (told = resolve))
  // More of one outbox: the second round of a pull.
  const slow = (store: Store): Store => ({
    ...store,
    async range(ranges) {
      const rows = await store.range(ranges)
      if (!isHolding || !readsOutboxes(ranges) || (ranges[0].limit ?? 0) <= 64) return rows
      await new Promise<void>((resolve) => {
        held.push(resolve)
        told()
      })
      return rows
    },
  })
  const size = { authors: 300, postsAnAuthor: 2, readers: 1, follows: 300 }
  const { rivulet, readers } = await open(size, { wrap: slow })
  const [reader] = readers
  const home = (after?: string) => rivulet.feed.reads.home(reader, { limit: 100, after })
  for (let i = 0; i < 200; i++) await rivulet.feed.commands.post(1, { content: 'x' })
  await rivulet.settle()
  rivulet.feed.outboxes.clear()
  isHolding = true
  const first = home()
  await isHeld
  const post = await rivulet.feed.commands.post(2, { content: 'between the two' })
  while (rivulet.engine.view(homeView).horizon.claimable() < post.id) await env.yield()
  const second = home()
  for (let turns = 0; turns < 10; turns++) await env.yield()
  isHolding = false
  for (const goOn of held) goOn()
  for (const page of [await first, await second]) {
    if (page.horizon < post.id || page.items.some(({ id }) => id === post.id)) continue
    const { items, gap } = await home(page.after)
    expect({ gap, items: items.map(({ id }) => id) }).toEqual({ gap: false, items: [post.id] })
  }
  expect((await second).horizon).toBeGreaterThanOrEqual(post.id)
})

test('a page does not wait for the rebuild that it asks for', async () => {
  const order: string[] = []
  const noting = (store: Store): Store => ({
    ...store,
    async range(ranges) {
      if (readsOutboxes(ranges)) order.push('read')
      return store.range(ranges)
    },
  })
  const views = createMemoryViews({ bytesMax: 64 * 2 ** 20 })
  const openThem = views.open.bind(views)
  views.open = async (owners) => {
    order.push('rebuild')
    return openThem(owners)
  }
  const { rivulet, readers } = await open(
    { authors: 300, postsAnAuthor: 2, readers: 1, follows: 300 },
    { wrap: noting, views },
  )
  await rivulet.feed.reads.home(readers[0], { limit: 20 })
  await rivulet.settle()
  expect(order.indexOf('rebuild')).toBeGreaterThan(order.indexOf('read'))
})

test('if the store fails further down, the page ends above that, and the next one continues there', async () => {
  let isDown = false
  const failing = (store: Store): Store => ({
    ...store,
    range: (ranges) =>
      // The reader's own outbox is read by itself.
      isDown && readsOutboxes(ranges) && ranges.length > 1
        ? Promise.reject(new RivuletError('unavailable', 'no answer'))
        : store.range(ranges),
  })
  const size = { authors: 100, postsAnAuthor: 200, readers: 1, follows: 100 }
  const { rivulet, readers, feedOf } = await open(size, { wrap: failing })
  const [reader] = readers
  const expected = feedOf(reader)
  const home = (limit: number, cursor?: string) => rivulet.feed.reads.home(reader, { limit, cursor })
  await home(20)
  await rivulet.settle()
  // The timeline holds 800; memory 64 of each author.
  const read: number[] = []
  let cursor: string | undefined
  while (read.length < 790) {
    const page = await home(79, cursor)
    read.push(...page.items.map(({ id }) => id))
    cursor = page.nextCursor
  }
  rivulet.feed.outboxes.clear()
  isDown = true
  const cut = await home(79, cursor)
  expect(cut.items.length).toBeGreaterThan(0)
  expect(cut.items.length).toBeLessThan(79)
  expect([cut.hasMore, cut.complete]).toEqual([true, true])
  read.push(...cut.items.map(({ id }) => id))
  await expect(home(79, cut.nextCursor)).rejects.toMatchObject({ code: 'unavailable' })
  isDown = false
  const next = await home(79, cut.nextCursor)
  read.push(...next.items.map(({ id }) => id))
  expect(read).toEqual(expected.slice(0, read.length))
})

test('a clean stop keeps the timelines, a crash does not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rivulet-kept-'))
  const notices: string[] = []
  const openViews = () =>
    openMemoryViews({
      bytesMax: 64 * 2 ** 20,
      file: join(folder, 'timelines'),
      onNotice: (text) => void notices.push(text),
    })
  const size = { authors: 200, postsAnAuthor: 3, readers: 5, follows: 100 }
  const first = await openViews()
  const before = await open(size, { views: first })
  for (const reader of before.readers) await before.rivulet.feed.reads.home(reader, { limit: 20 })
  await before.rivulet.settle()
  await before.rivulet.stop()
  await first.close()

  const kept = await openViews()
  const after = await open(size, { views: kept })
  for (const reader of after.readers) {
    const { items } = await after.rivulet.feed.reads.home(reader, { limit: 20 })
    expect(items.map(({ id }) => id)).toEqual(after.feedOf(reader).slice(0, 20))
  }
  await after.rivulet.settle()
  expect(after.rivulet.feed.timelines.stats.rebuilds).toBe(0)

  // Not closed: the file was taken by the process before, which has crashed.
  const lost = await open(size, { views: await openViews() })
  for (const reader of lost.readers) await lost.rivulet.feed.reads.home(reader, { limit: 20 })
  await lost.rivulet.settle()
  expect(lost.rivulet.feed.timelines.stats.rebuilds).toBe(size.readers)
  expect(notices).toEqual([])
  await rm(folder, { recursive: true })
})

test('after a crash the timelines of active readers are rebuilt before they return', async () => {
  const world = await open({ authors: 200, postsAnAuthor: 3, readers: 8, follows: 100 })
  const { rivulet, readers } = world
  const active = readers.slice(0, 5)
  for (const reader of active) rivulet.graph.activity.touch(reader)
  await rivulet.feed.warmer.run()
  expect(rivulet.feed.warmer.stats).toEqual({ left: 0, warm: active.length })
  const { rebuilds } = rivulet.feed.timelines.stats
  expect(rebuilds).toBe(active.length)
  for (const reader of active) {
    const { items } = await rivulet.feed.reads.home(reader, { limit: 20 })
    expect(items.map(({ id }) => id)).toEqual(world.feedOf(reader).slice(0, 20))
  }
  await rivulet.settle()
  expect(rivulet.feed.timelines.stats.rebuilds).toBe(rebuilds)
})
