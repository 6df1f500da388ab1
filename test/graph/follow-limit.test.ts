/** The limit on follows holds for requests at the same time. */

import { expect, test } from 'vitest'
import { LIMITS } from '../../src/core/limits.ts'
import { createRivulet } from '../../src/index.ts'
import { followingPackedTable } from '../../src/graph/index.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'
import { createMemoryLog } from '../../src/ports/log/memory/memory.ts'
import { createMemoryStore } from '../../src/ports/store/memory/memory.ts'
import { rowVersion } from '../../src/ports/store/store.ts'
import { createMemoryViews } from '../../src/ports/views/memory/memory.ts'

const FREE = 3

test('of many follows at once, as many are accepted as the limit leaves room for', async () => {
  const env = createRealEnv()
  const store = createMemoryStore({ env })
  const log = createMemoryLog({ env, partitions: 1 })
  const views = createMemoryViews({ bytesMax: 64 * 2 ** 20 })
  const rivulet = createRivulet({ env, log, store, views }, { secret: new Uint8Array(32).fill(3) })
  await rivulet.start()
  const { commands } = rivulet.graph
  const people = await Promise.all(Array.from({ length: 11 }, () => commands.createAccount({})))
  const [reader, ...others] = people.map(({ number }) => number)
  const numbers = Uint32Array.from({ length: LIMITS.followingMax - FREE }, (_, i) => 1_000_000 + i)
  const ids = new Float64Array(numbers.length).fill(1)
  const key = followingPackedTable.key(reader, numbers[0])
  await store.write([followingPackedTable.row(key, rowVersion(0, 1), { numbers, ids })])
  rivulet.graph.circles.drop(reader)
  const answers = await Promise.allSettled(others.map((other) => commands.follow(reader, other)))
  const refused = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason.code] : []))
  expect(refused).toEqual(Array.from({ length: others.length - FREE }, () => 'follow_limit'))
  await rivulet.settle()
  expect(await rivulet.graph.reads.followingCount(reader)).toBe(LIMITS.followingMax)
  await rivulet.stop()
})
