/** Lists of what replies to a post and what reposts it, over more rows than one read of the store takes. */

import { expect, test } from 'vitest'
import { LIMITS } from '../../src/core/limits.ts'
import { startEngine } from '../support/engine.ts'

const MANY = 700

test('lists very many reposts, the latest first, at every page size, without the deleted ones', async () => {
  const { rivulet, people, post } = await startEngine()
  const [author, fan, reader] = await people(3)
  const target = await post(author)
  const reposts: number[] = []
  for (let i = 0; i < MANY; i++) reposts.push(await post(fan, { repostOf: target }))
  const gone = reposts.filter((_, i) => i % 3 === 0 || (i > 200 && i < 500))
  for (const id of gone) await rivulet.feed.commands.delete(fan, id)
  await rivulet.settle()
  const left = reposts.filter((id) => !gone.includes(id))
  const viewer = await rivulet.graph.circles.of(reader)
  for (const limit of [1, 7, 100]) {
    const found: number[] = []
    let cursor: string | undefined
    do {
      const page = await rivulet.feed.reads.reposts(target, viewer, { limit, cursor })
      expect(page.items.length).toBeLessThanOrEqual(limit)
      found.push(...page.items.map(({ id }) => id))
      cursor = page.nextCursor
    } while (cursor !== undefined)
    expect(found).toEqual(left.toReversed())
  }
})

test('lists very many replies in both orders, at every page size', async () => {
  const { rivulet, people, post } = await startEngine()
  const [author, fan] = await people(2)
  const target = await post(author)
  const replies: number[] = []
  for (let i = 0; i < MANY; i++) replies.push(await post(fan, { replyTo: target }))
  await rivulet.settle()
  for (const order of ['latest', 'oldest'] as const) {
    for (const limit of [9, 100]) {
      const found: number[] = []
      let cursor: string | undefined
      do {
        const page = await rivulet.feed.reads.replies(target, undefined, { limit, cursor, order })
        found.push(...page.items.map(({ id }) => id))
        cursor = page.nextCursor
      } while (cursor !== undefined)
      expect(found).toEqual(order === 'oldest' ? replies : replies.toReversed())
    }
  }
})

test('a reply that is not public is listed for those who may see it, and not counted', async () => {
  const { rivulet, people, post } = await startEngine()
  const [author, fan, friend, stranger] = await people(4)
  await rivulet.graph.commands.follow(friend, fan)
  const target = await post(author)
  const reply = async (visibility: 'public' | 'followers' | 'self') =>
    (await rivulet.feed.commands.post(fan, { content: 'x', replyTo: target, visibility })).id
  const [all, followers, own] = [await reply('public'), await reply('followers'), await reply('self')]
  await rivulet.settle()
  const ids = async (viewer: number) => {
    const circle = await rivulet.graph.circles.of(viewer)
    const { items } = await rivulet.feed.reads.replies(target, circle, { limit: 10, order: 'oldest' })
    return items.map(({ id }) => id)
  }
  expect(await ids(fan)).toEqual([all, followers, own])
  expect(await ids(friend)).toEqual([all, followers])
  expect(await ids(stranger)).toEqual([all])
  expect((await rivulet.feed.posts.get(target))?.replies).toBe(1)
  for (const id of [followers, all]) await rivulet.feed.commands.delete(fan, id)
  await rivulet.settle()
  expect(await ids(fan)).toEqual([own])
  expect((await rivulet.feed.posts.get(target))?.replies).toBe(0)
})

test('ancestors go up to the first post, or are cut', async () => {
  const { rivulet, people, post } = await startEngine()
  const [author, reader] = await people(2)
  const thread = [await post(author)]
  for (let i = 0; i < LIMITS.threadAncestorsMax + 1; i++)
    thread.push(await post(author, { replyTo: thread[i] }))
  const viewer = await rivulet.graph.circles.of(reader)
  const ancestors = async (at: number) => {
    const found = await rivulet.feed.posts.get(thread[at])
    return rivulet.feed.reads.ancestors(found!, viewer)
  }
  const whole = await ancestors(LIMITS.threadAncestorsMax)
  expect(whole.isTruncated).toBe(false)
  expect(whole.path.map(({ id }) => id)).toEqual(thread.slice(0, -2))
  const cut = await ancestors(LIMITS.threadAncestorsMax + 1)
  expect(cut.isTruncated).toBe(true)
  expect(cut.path.map(({ id }) => id)).toEqual(thread.slice(1, -1))
})

test('a block hides a repost, and a repost for followers is not listed', async () => {
  const { rivulet, people, post } = await startEngine()
  const [author, fan, other, reader] = await people(4)
  const target = await post(author)
  const seen = await post(fan, { repostOf: target })
  const hidden = await post(other, { repostOf: target })
  await rivulet.feed.commands.post(fan, { repostOf: target, visibility: 'followers' })
  await rivulet.graph.commands.block(reader, other, true)
  await rivulet.settle()
  const ids = async (viewer?: number) => {
    const circle = viewer === undefined ? undefined : await rivulet.graph.circles.of(viewer)
    const { items } = await rivulet.feed.reads.reposts(target, circle, { limit: 10 })
    return items.map(({ id }) => id)
  }
  expect(await ids(reader)).toEqual([seen])
  expect(await ids(fan)).toEqual([hidden, seen])
  expect(await ids()).toEqual([hidden, seen])
})
