/** Lists of recently seen accounts: the latest first, whatever minutes other processes told. */

import { expect, test } from 'vitest'
import { createSimulatedEnv } from '../../src/ports/env/simulated.ts'
import { createRivulet } from '../../src/index.ts'
import { createMemoryLog } from '../../src/ports/log/memory/memory.ts'
import { createMemoryStore } from '../../src/ports/store/memory/memory.ts'
import { createMemoryViews } from '../../src/ports/views/memory/memory.ts'

test('since a minute, the latest first; an account told as seen in the future counts as seen now', () => {
  const env = createSimulatedEnv({ seed: 1, startMs: Date.UTC(2026, 0, 1) })
  const ports = {
    env,
    log: createMemoryLog({ env, partitions: 1 }),
    store: createMemoryStore({ env }),
    views: createMemoryViews({ bytesMax: 64 * 2 ** 20 }),
  }
  const { activity } = createRivulet(ports, { secret: new Uint8Array(32), onFatal: () => {} }).graph
  const start = activity.minuteAgo(0)
  for (const [minutes, numbers] of [
    [0, [3]],
    [1, [7]],
    [20, [5, 4_000]],
    [10, [9, 2]],
  ] as const) {
    env.advance(minutes * 60_000)
    activity.saw(numbers, activity.minuteAgo(0))
  }
  const now = activity.minuteAgo(0)
  expect(now).toBe(start + 31)
  activity.saw([11], now + 1_000_000)
  expect([...activity.seenSince(now - 30)]).toEqual([2, 9, 11, 5, 4_000, 7])
  expect([...activity.seenSince(now)]).toEqual([2, 9, 11])
  expect([...activity.seenSince(now + 5)]).toEqual([11])
  expect([...activity.seenSince(0)]).toEqual([2, 9, 11, 5, 4_000, 7, 3])
})
