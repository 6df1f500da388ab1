/** Many processes never give out the same id, whatever their clocks say. */

import { expect, test } from 'vitest'
import { createLeasedIds, tickOf } from '../../../src/core/ids.ts'
import { holdNodeLease } from '../../../src/engine/processes/node-lease.ts'
import { createSimulatedEnv } from '../../../src/ports/env/simulated.ts'
import { createMemoryStore } from '../../../src/ports/store/memory/memory.ts'

const START_MS = Date.UTC(2026, 0, 1)

test('without a lease, `next` throws', () => {
  const ids = createLeasedIds(() => START_MS)
  expect(() => ids.next()).toThrow(expect.objectContaining({ code: 'unavailable' }))
})

test('ids lie in the ticks of the lease, and rise', () => {
  const ids = createLeasedIds(() => START_MS)
  const tick = ids.tick()
  ids.grant({ node: 4, fromTick: tick, toTick: tick + 2 })
  const given = Array.from({ length: 512 }, () => ids.next())
  expect(new Set(given).size).toBe(512)
  expect([...given].sort((a, b) => a - b)).toEqual(given)
  expect(given.every((id) => [tick, tick + 1].includes(tickOf(id)))).toBe(true)
  expect(() => ids.next()).toThrow(expect.objectContaining({ code: 'unavailable' }))
})

test('ids continue above an observed id, even if that comes from a clock that is ahead', () => {
  const ids = createLeasedIds(() => START_MS)
  const other = createLeasedIds(() => START_MS + 3_600_000)
  other.grant({ node: 8, fromTick: 0, toTick: Infinity })
  ids.grant({ node: 4, fromTick: 0, toTick: Infinity })
  const ahead = other.next()
  ids.observe(ahead)
  expect(ids.next()).toBeGreaterThan(ahead)
  expect(ids.fence()).toBeGreaterThan(ahead)
})

test('processes whose clocks differ never give out the same id, over many leases', async () => {
  const env = createSimulatedEnv({ seed: 3, startMs: START_MS })
  const store = createMemoryStore({ env })
  const given = new Set<number>()
  let count = 0
  const holders = await Promise.all(
    Array.from({ length: 12 }, async (_, i) => {
      const own = { ...env, wallMs: () => env.wallMs() + (i % 3) * 1_200_000 }
      const ids = createLeasedIds(own.wallMs)
      return {
        ids,
        lease: await holdNodeLease({ env: own, store, ids, holder: `${i}`, onNotice: () => undefined }),
      }
    }),
  )
  for (let round = 0; round < 60; round++) {
    await env.run(60_000)
    for (const { ids } of holders) {
      for (let i = 0; i < 300; i++, count++) given.add(ids.next())
    }
    // One process ends and another one starts, with a clock of its own.
    if (round % 10 === 9) {
      holders.shift()?.lease.close()
      const ids = createLeasedIds(env.wallMs)
      holders.push({
        ids,
        lease: await holdNodeLease({ env, store, ids, holder: `later ${round}`, onNotice: () => undefined }),
      })
    }
  }
  expect(given.size).toBe(count)
})
