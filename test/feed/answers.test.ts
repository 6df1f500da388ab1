/** Lists of what replies to a post and what reposts it, over more rows than one read of the store takes. */

import { expect, test } from 'vitest'
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
