/** Decisions on real engines: dense numbers from two processes, one of which goes in the middle. */

import { expect, test } from 'vitest'
import { createRealEnv } from '../../../src/ports/env/real.ts'
import { createCounter, taken } from '../../support/counter.ts'
import { openTestPorts } from '../../support/ports.ts'
import { replayed, rowsOf } from './order-history.ts'
import type { Event } from '../../../src/engine/events.ts'

const OPEN = 1
const HORIZON_EVERY_MS = 50

test('two processes give out 1 to n, without a hole and none twice, though one of them goes', async () => {
  const ports = await openTestPorts(createRealEnv())
  const another = await ports.another?.()
  if (another === undefined) throw new Error('this test needs engines')
  const seen = new Map<number, string>()
  const reactor = {
    name: 'counting',
    takes: [taken],
    holds: 'log',
    begins: 'checkpoint',
    async react(events: readonly Event[]) {
      for (const { id, decision } of events)
        if (decision?.outcome === 'made') seen.set(id, JSON.stringify(decision))
    },
  } as const
  const shared = { gate: async () => 0, horizonEveryMs: HORIZON_EVERY_MS, role: 'all' } as const
  const first = createCounter(ports, [reactor], shared)
  const second = createCounter(another, [reactor], shared)
  await Promise.all([first.engine.start(), second.engine.start()])
  const keys = [1, 2, 3]
  for (const key of keys) await first.set(key, 7, OPEN)
  const asked = keys.flatMap((key) =>
    Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? first : second).take(key, 7, `r${i % 50}`)),
  )
  const halfway = Promise.all(asked.slice(0, 90)).then(() => second.engine.stop())
  await Promise.allSettled([...asked, halfway])
  await first.engine.settle()
  const { decisions, numbers } = await replayed(ports.log)
  for (const key of keys) {
    const ids = numbers.get(key) ?? []
    expect(ids.length).toBeGreaterThan(0)
    expect(await rowsOf(ports.store, key, ids.length)).toEqual([...ids, undefined])
  }
  for (const [id, decision] of seen) expect(decision).toBe(JSON.stringify(decisions.get(id)))
  await first.engine.stop()
  await ports.close()
})
