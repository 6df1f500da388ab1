/** A request that two processes carry out, because neither knows of the other, takes effect once. */

import { expect, test } from 'vitest'
import { startEngine } from '../support/engine.ts'

test('of several events of one request the first takes effect; the writers of the others get outcome_unknown', async () => {
  const { rivulet, people, ids } = await startEngine()
  const [ann, bob] = await people(2)
  await rivulet.graph.commands.follow(bob, ann)
  const once = { scope: ann, key: 'same', hash: 'h' }
  const outcomes = await Promise.allSettled(
    [1, 2, 3].map(() => rivulet.feed.commands.post(ann, { content: 'once' }, once)),
  )
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected'])
  expect(outcomes[1]).toMatchObject({ reason: { code: 'outcome_unknown' } })
  await rivulet.settle()
  expect(await ids(bob)).toHaveLength(1)
  expect(await rivulet.feed.reads.postsCount(ann)).toBe(1)
  await rivulet.stop()
})

test('under one idempotency key, events with different log keys of one request all take effect', async () => {
  const { rivulet, people } = await startEngine()
  const [ann, bob, cat] = await people(3)
  const once = { scope: ann, key: 'same', hash: 'h' }
  await rivulet.graph.commands.follow(ann, bob, once)
  await rivulet.graph.commands.follow(ann, cat, once)
  expect(await rivulet.graph.reads.followingCount(ann)).toBe(2)
  await rivulet.stop()
})
