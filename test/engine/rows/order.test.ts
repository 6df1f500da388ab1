/**
 * A decision is made once, and every process gets the same one. The test domain gives out dense numbers: there must be no
 * hole, and no number twice.
 */

import { expect, test } from 'vitest'
import { createRealEnv } from '../../../src/ports/env/real.ts'
import { createMemoryLog } from '../../../src/ports/log/memory/memory.ts'
import { createMemoryStore } from '../../../src/ports/store/memory/memory.ts'
import { createMemoryViews } from '../../../src/ports/views/memory/memory.ts'
import { loadChanged, type Change, type PlantedFault } from '../../support/changed.ts'
import { createCounter, type Counter } from '../../support/counter.ts'

const OPEN = 1
const FAULT = 3

async function start(): Promise<Counter> {
  const env = createRealEnv()
  const counter = createCounter({
    env,
    log: createMemoryLog({ env, partitions: 1 }),
    store: createMemoryStore({ env }),
    views: createMemoryViews({ bytesMax: 8 * 2 ** 20 }),
  })
  await counter.engine.start()
  return counter
}

test('requests get dense numbers; a repeated one gets the first answer, and learns whether it asked the same', async () => {
  const counter = await start()
  await counter.set(1, 7, OPEN)
  expect(await counter.take(1, 7, 'a', 'text')).toEqual({ outcome: 'made', value: { seq: 1 } })
  expect(await counter.take(1, 7, 'b', 'text')).toEqual({ outcome: 'made', value: { seq: 2 } })
  expect(await counter.take(1, 7, 'a', 'text')).toMatchObject({
    outcome: 'repeated',
    value: { seq: 1 },
    isSame: true,
  })
  expect(await counter.take(1, 7, 'a', 'other')).toMatchObject({
    outcome: 'repeated',
    value: { seq: 1 },
    isSame: false,
  })
  expect(await counter.take(1, 7, 'c')).toEqual({ outcome: 'made', value: { seq: 3 } })
  await counter.engine.stop()
})

test('a refusal and a fault of the domain take no number, and do not stop what comes after', async () => {
  const counter = await start()
  expect(await counter.take(1, 7)).toEqual({ outcome: 'refused', reason: 'closed' })
  await counter.set(1, 7, OPEN)
  expect(await counter.take(1, 7)).toEqual({ outcome: 'made', value: { seq: 1 } })
  await counter.set(1, 7, FAULT)
  expect(counter.notices).toHaveLength(1)
  expect(counter.fatal).toEqual([])
  expect(await counter.take(1, 7)).toEqual({ outcome: 'made', value: { seq: 2 } })
  await counter.engine.stop()
})

type History = typeof import('./order-history.ts')
const load = (changes: readonly Change[] = []) =>
  loadChanged<History>('test/engine/rows/order-history.ts', changes)

for (const [name, isShared, seeds] of [
  ['one process that crashes', false, 20],
  ['processes that die and overtake each other', true, 3],
] as const) {
  test(
    `${name}: rows, answers, and reactors agree with a replay of the log`,
    { timeout: 120_000 },
    async () => {
      const happened = await (await load()).runOrderHistories(isShared, seeds)
      expect(happened.tornWrite).toBeGreaterThan(0)
      expect(happened.unknownWrite).toBeGreaterThan(0)
    },
  )
}

interface OrderFault extends PlantedFault {
  readonly isShared: boolean
}

const fault = (name: string, file: string, find: string, replace: string, isShared = false): OrderFault => ({
  name,
  changes: [{ file, find, replace }],
  isShared,
})

const PLANTED_FAULTS: readonly OrderFault[] = [
  fault(
    'a request that is applied again is decided anew',
    'engine/rows/order.ts',
    'rows.versionOf(headKey(event)) >= event.version',
    'rows.versionOf(headKey(event)) < 0 && event.version > 0',
  ),
  fault(
    'the head is written with the rows, not after them',
    'engine/rows/project.ts',
    `      if (first.length > 0) await store.write(first)
      if (last.length > 0) await store.write(last)`,
    '      await store.write([...last, ...first])',
  ),
  fault(
    'what follows from a decision is not repeated',
    'engine/rows/order.ts',
    "if (decision.outcome === 'made') options.apply?.(event, decision.value, rows, effects)",
    '',
  ),
  fault(
    'a refused request leaves its rows',
    'engine/rows/rows.ts',
    'for (const step of steps.reverse()) step()',
    '',
  ),
  fault(
    'an outcome that a crash left behind counts',
    'engine/rows/order.ts',
    'rows.versionOf(key(event)) >= event.version) return undefined',
    'event.version < 0) return undefined',
  ),
]

test.for(PLANTED_FAULTS)(
  'planted fault is caught: $name',
  { timeout: 120_000 },
  async ({ changes, isShared }) => {
    const { runOrderHistories } = await load(changes)
    await expect(runOrderHistories(isShared, isShared ? 6 : 60)).rejects.toThrow()
  },
)
