/** A post enters the log late, below the horizon of pages: their `after` says that its readers missed something. */

import { expect, test } from 'vitest'
import { encodeEvent } from '../../src/engine/events.ts'
import { posted } from '../../src/feed/events.ts'
import { createRivulet } from '../../src/index.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'
import { createMemoryLog } from '../../src/ports/log/memory/memory.ts'
import { createMemoryStore } from '../../src/ports/store/memory/memory.ts'
import { createMemoryViews } from '../../src/ports/views/memory/memory.ts'

const PARTITIONS = 2

test('an `after` from before a late post says gap, and the page holds the post', async () => {
  const env = createRealEnv()
  const log = createMemoryLog({ env, partitions: PARTITIONS })
  const store = createMemoryStore({ env })
  const views = createMemoryViews({ bytesMax: 64 * 2 ** 20, lanes: PARTITIONS })
  const rivulet = createRivulet(
    { env, log, store, views },
    {
      secret: new Uint8Array(32).fill(1),
      shared: { role: 'all', gate: async () => 0, horizonEveryMs: 10 },
    },
  )
  await rivulet.start()
  const { graph, feed, engine } = rivulet
  const [ann, bob, cat] = await Promise.all([1, 2, 3].map(() => graph.commands.createAccount({})))
  await graph.commands.follow(bob.number, ann.number)
  await graph.commands.follow(cat.number, bob.number)
  // Stamped by a process that was frozen before it could append.
  const id = engine.ids.next()
  await rivulet.settle()
  const before = await feed.reads.home(bob.number, { limit: 10 })
  const other = await feed.reads.home(cat.number, { limit: 10 })
  expect(before.horizon).toBeGreaterThanOrEqual(id)
  const body = { author: ann.number, visibility: 0, content: 'late', custom: undefined, clientRef: undefined }
  const references = { replyTo: 0, replyToAuthor: 0, repostOf: 0, repostOfAuthor: 0 }
  await log.append([
    { key: ann.number, value: encodeEvent(posted, id, ann.number, { ...body, ...references }) },
  ])
  await rivulet.settle()
  const after = await feed.reads.home(bob.number, { limit: 10, after: before.after })
  expect(after.gap).toBe(true)
  expect(after.items.map((item) => item.id)).toEqual([id])
  // Readers who do not follow the author get no gap, and those who do get it only once.
  expect((await feed.reads.home(cat.number, { limit: 10, after: other.after })).gap).toBe(false)
  expect(await feed.reads.home(bob.number, { limit: 10, after: after.after })).toMatchObject({
    gap: false,
    items: [],
  })
  await rivulet.stop()
})
