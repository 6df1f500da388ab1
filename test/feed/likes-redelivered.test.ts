/** News of a like that comes again, or late, moves no count: per post and liker, only a later cause does. */

import { expect, test } from 'vitest'
import { likeCounted } from '../../src/feed/events.ts'
import { likersTable } from '../../src/feed/tables.ts'
import { startEngine } from '../support/engine.ts'

test('copies of old news change nothing, whatever came since', async () => {
  const { rivulet, people, post } = await startEngine()
  const [ann, bob] = await people(2)
  const id = await post(ann)
  const { engine, feed } = rivulet
  const likes = async () => (await feed.posts.get(id))?.likes
  await feed.commands.like(bob, id, true)
  await rivulet.settle()
  const [row] = await engine.store.get([likersTable.key(id, bob)])
  if (row === undefined) throw new Error('nobody counted the like')
  const { id: like, cause } = likersTable.decode(row)
  const old = { post: id, by: bob, id: like, cause, on: true }
  await engine.produce(likeCounted, ann, old)
  expect(await likes()).toBe(1)
  await feed.commands.like(bob, id, false)
  await rivulet.settle()
  expect(await likes()).toBe(0)
  await engine.produce(likeCounted, ann, old)
  await rivulet.settle()
  expect(await likes()).toBe(0)
  await rivulet.stop()
})
