/** A receipt tells how a post was fanned out the first time, even after a replay. */

import { expect, test } from 'vitest'
import { createRivulet } from '../../src/index.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'
import { createMemoryDisk as createLogDisk, createMemoryLog } from '../../src/ports/log/memory/memory.ts'
import { createMemoryDisk, createMemoryStore } from '../../src/ports/store/memory/memory.ts'
import { createMemoryViews } from '../../src/ports/views/memory/memory.ts'

test('a replay after a crash leaves finished receipts as they were', async () => {
  const env = createRealEnv()
  const [logDisk, storeDisk] = [createLogDisk(), createMemoryDisk()]
  const boot = async () => {
    const log = createMemoryLog({ env, partitions: 1, disk: logDisk })
    const store = createMemoryStore({ env, disk: storeDisk })
    const views = createMemoryViews({ bytesMax: 64 * 2 ** 20 })
    const rivulet = createRivulet({ env, log, store, views }, { secret: new Uint8Array(32).fill(3) })
    await rivulet.start()
    return { rivulet, log }
  }
  const { rivulet, log } = await boot()
  const { commands } = rivulet.graph
  const people = await Promise.all(Array.from({ length: 12 }, () => commands.createAccount({})))
  const [author, ...readers] = people.map(({ number }) => number)
  for (const reader of readers) await commands.follow(reader, author)
  const posts: number[] = []
  for (const tier of ['push', 'pull', 'auto'] as const) {
    await commands.setTier(author, tier, tier === 'push' ? 3 : 8)
    posts.push((await rivulet.feed.commands.post(author, { content: tier })).id)
  }
  await rivulet.settle()
  for (const reader of readers.slice(5)) await commands.unfollow(reader, author)
  await rivulet.settle()
  const receipts = await Promise.all(posts.map((id) => rivulet.feed.reads.receipt(id)))
  expect(receipts.map((receipt) => [receipt?.tier, receipt?.share])).toEqual([
    [0, 3],
    [1, 0],
    [0, 8],
  ])
  expect(receipts[2]?.done).toBe(11)
  // No checkpoint: everything is read again.
  log.crash()
  const again = await boot()
  await again.rivulet.settle()
  expect(await Promise.all(posts.map((id) => again.rivulet.feed.reads.receipt(id)))).toEqual(receipts)
  await again.rivulet.stop()
})
