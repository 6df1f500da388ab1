/** One promise of the feed a test, told as a short story. The histories check combinations of them. */

import { describe, expect, test } from 'vitest'
import { RivuletError } from '../../src/core/errors.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'
import { startEngine } from '../support/engine.ts'

describe('after', () => {
  test('gives exactly what came since, newest first, and then nothing', async () => {
    const { rivulet, people, post } = await startEngine()
    const [reader, author] = await people(2)
    await rivulet.graph.commands.follow(reader, author)
    await post(author)
    await rivulet.settle()
    const first = await rivulet.feed.reads.home(reader, { limit: 20 })
    const later = [await post(author), await post(author)]
    await rivulet.settle()
    const second = await rivulet.feed.reads.home(reader, { limit: 20, after: first.after })
    expect(second.items.map(({ id }) => id)).toEqual(later.toReversed())
    expect(second.gap).toBe(false)
    const third = await rivulet.feed.reads.home(reader, { limit: 20, after: second.after })
    expect(third.items).toEqual([])
  })

  test('says gap when more came than fits', async () => {
    const { rivulet, people, post } = await startEngine()
    const [reader, author] = await people(2)
    await rivulet.graph.commands.follow(reader, author)
    const first = await rivulet.feed.reads.home(reader, { limit: 2 })
    const later = [await post(author), await post(author), await post(author)]
    await rivulet.settle()
    const page = await rivulet.feed.reads.home(reader, { limit: 2, after: first.after })
    expect(page.gap).toBe(true)
    expect(page.items.map(({ id }) => id)).toEqual(later.toReversed().slice(0, 2))
    expect(page.hasMore).toBe(true)
  })

  test('says gap when a deleted repost brings an older one back', async () => {
    const { rivulet, people, post, ids } = await startEngine()
    const [reader, one, other, author] = await people(4)
    await rivulet.graph.commands.follow(reader, one)
    await rivulet.graph.commands.follow(reader, other)
    const original = await post(author)
    const older = await post(one, { repostOf: original })
    const newer = await post(other, { repostOf: original })
    await rivulet.settle()
    const page = await rivulet.feed.reads.home(reader, { limit: 20 })
    expect(page.items.map(({ id }) => id)).toEqual([newer])
    await rivulet.feed.commands.delete(other, newer)
    await rivulet.settle()
    expect((await rivulet.feed.reads.home(reader, { limit: 20, after: page.after })).gap).toBe(true)
    expect(await ids(reader)).toEqual([older])
  })
})

describe('tiers', () => {
  test('no reader misses a post when an author goes from push to pull and back', async () => {
    const { rivulet, people, post, ids } = await startEngine()
    const [reader, author] = await people(2)
    const { commands } = rivulet.graph
    await commands.follow(reader, author)
    const posts: number[] = []
    for (const tier of ['push', 'pull', 'push', 'pull', 'auto'] as const) {
      await commands.setTier(author, tier)
      posts.push(await post(author), await post(author))
      expect(await ids(reader, 3)).toEqual(posts.toReversed())
    }
  })

  test('with half a share, every follower gets the post', async () => {
    const { rivulet, people, post, ids } = await startEngine()
    const [author, ...readers] = await people(33)
    await Promise.all(readers.map((reader) => rivulet.graph.commands.follow(reader, author)))
    await rivulet.settle()
    for (const reader of readers) await ids(reader)
    await rivulet.settle()
    await rivulet.graph.commands.setTier(author, 'push', 4)
    const id = await post(author)
    await rivulet.settle()
    const receipt = await rivulet.feed.reads.receipt(id)
    expect(receipt?.done).toBeGreaterThan(0)
    expect(receipt?.done).toBeLessThan(32)
    for (const reader of readers) expect(await ids(reader)).toEqual([id])
  })

  test('a receipt counts everybody, of a large audience too', async () => {
    const { rivulet, people, post } = await startEngine()
    const [author, ...readers] = await people(1_101)
    await Promise.all(readers.map((reader) => rivulet.graph.commands.follow(reader, author)))
    const id = await post(author)
    await rivulet.settle()
    const receipt = await rivulet.feed.reads.receipt(id)
    expect(receipt).toMatchObject({ planned: 1_100, done: 1_100, skipped: 0 })
    expect(receipt?.doneAtMs).toBeGreaterThan(0)
    expect(await rivulet.graph.reads.followersCount(author)).toBe(1_100)
  })
})

describe('readers who stay away', () => {
  const DAY_MS = 86_400_000

  test.for([20, 1_200])(
    'of %i followers are skipped, and miss nothing when they return',
    async (followers) => {
      let aheadMs = 0
      const real = createRealEnv()
      const env = { ...real, wallMs: () => real.wallMs() + aheadMs }
      const { rivulet, people, post, ids, views } = await startEngine(800, env)
      const [author, ...readers] = await people(1 + followers)
      const [away, here] = [readers.slice(0, followers / 2), readers.slice(followers / 2)]
      await Promise.all(readers.map((reader) => rivulet.graph.commands.follow(reader, author)))
      for (const reader of readers) await ids(reader)
      const first = await post(author)
      await rivulet.settle()
      aheadMs = 31 * DAY_MS
      for (const reader of here) await ids(reader)
      const second = await post(author)
      await rivulet.settle()
      const half = followers / 2
      expect(await rivulet.feed.reads.receipt(second)).toMatchObject({
        planned: followers,
        done: half,
        skipped: half,
      })
      for (const reader of away) expect(await views.range(reader, Infinity, 1)).toBeUndefined()
      for (const reader of readers) expect(await ids(reader)).toEqual([second, first])
      await rivulet.settle()
      const third = await post(author)
      await rivulet.settle()
      expect(await rivulet.feed.reads.receipt(third)).toMatchObject({ done: followers, skipped: 0 })
      for (const reader of away) expect(await ids(reader)).toEqual([third, second, first])
    },
  )
})

test('a superseded repost stays away at every page size', async () => {
  const { rivulet, people, post, ids } = await startEngine()
  const [reader, a, b, c, stranger] = await people(5)
  for (const author of [a, b, c]) await rivulet.graph.commands.follow(reader, author)
  const target = await post(stranger)
  const [one, two] = [await post(a), await post(a)]
  await post(b, { repostOf: one })
  for (let i = 0; i < 12; i++) await post(b, { replyTo: target })
  const shown = [
    await post(b, { repostOf: two }),
    await post(c, { repostOf: one }),
    await post(a),
    await post(a),
  ]
  await rivulet.settle()
  for (const limit of [1, 2, 3, 4, 5, 7, 100]) {
    expect(await ids(reader, limit)).toEqual([one, two, ...shown].toReversed())
  }
})

describe('scrolling', () => {
  test('continues below the timeline, down to the very first post', async () => {
    const { rivulet, people, post, ids, views } = await startEngine(5)
    const [reader, author, other] = await people(3)
    await rivulet.graph.commands.follow(reader, author)
    await rivulet.graph.commands.follow(reader, other)
    await ids(reader)
    await rivulet.settle()
    const posts: number[] = []
    for (let i = 0; i < 30; i++) posts.push(await post(i % 3 === 0 ? other : author))
    await rivulet.settle()
    expect((await views.range(reader, Infinity, 100))?.entries.length).toBe(5)
    for (const limit of [1, 4, 7, 100]) expect(await ids(reader, limit)).toEqual(posts.toReversed())
  })

  test('a feed is the same after its timeline was evicted', async () => {
    const { rivulet, people, post, ids, views } = await startEngine()
    const [reader, author] = await people(2)
    await rivulet.graph.commands.follow(reader, author)
    const posts = [await post(author), await post(author), await post(reader)]
    await ids(reader)
    await rivulet.settle()
    await views.evict([reader])
    expect(await ids(reader)).toEqual(posts.toReversed())
    await rivulet.settle()
    expect(await views.range(reader, Infinity, 10)).toBeDefined()
    expect(await ids(reader)).toEqual(posts.toReversed())
  })
})

test('a page whose posts cannot be read is refused, and does not pass for empty', async () => {
  const { rivulet, people, post } = await startEngine()
  const [reader, author] = await people(2)
  await rivulet.graph.commands.follow(reader, author)
  await post(author)
  await rivulet.settle()
  rivulet.feed.outboxes.read = () => {
    throw new RivuletError('unavailable', 'planted')
  }
  await expect(rivulet.feed.reads.home(reader, { limit: 20 })).rejects.toMatchObject({ code: 'unavailable' })
})
