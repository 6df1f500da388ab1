/** A timeline of which a page finds much to be dead is rebuilt; entries that a rebuild would keep are not dead. */

import { expect, test } from 'vitest'
import { startEngine } from '../../support/engine.ts'

test.for([
  ['unfollowed', 1],
  ['blocked', 1],
  ['deleted', 1],
  ['muted', 0],
  ['kept', 0],
] as const)('after half of the posts are %s: %i rebuilds', async ([change, rebuilds]) => {
  const { rivulet, people, post, ids } = await startEngine()
  const [reader, one, other] = await people(3)
  const { commands } = rivulet.graph
  for (const author of [one, other]) await commands.follow(reader, author)
  await ids(reader)
  await rivulet.settle()
  const posts: number[] = []
  for (let i = 0; i < 24; i++) {
    posts.push(await post(one))
    await post(other)
  }
  if (change === 'unfollowed') await commands.unfollow(reader, one)
  if (change === 'blocked') await commands.block(reader, one, true)
  if (change === 'muted') await commands.mute(reader, one, true)
  if (change === 'deleted') for (const id of posts) await rivulet.feed.commands.delete(one, id)
  await rivulet.settle()
  const { stats } = rivulet.feed.timelines
  const before = stats.rebuilds
  await ids(reader)
  await rivulet.settle()
  expect(stats.rebuilds - before).toBe(rebuilds)
})
