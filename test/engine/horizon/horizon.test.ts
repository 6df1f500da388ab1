/** Up to which id a page may call itself complete, with one process and with several. */

import { expect, test } from 'vitest'
import { createIdSource } from '../../../src/core/ids.ts'
import { createHorizonAlone } from '../../../src/engine/horizon/alone.ts'
import { createHorizonShared } from '../../../src/engine/horizon/shared.ts'
import { createOwnIds } from '../../../src/engine/processes/own-ids.ts'

const START_MS = Date.UTC(2026, 0, 1)

test('alone: an event that is done can be claimed once the horizon is published', async () => {
  const ids = createIdSource(() => START_MS)
  const horizon = createHorizonAlone(ids, 2)
  const [first, second] = [ids.next(), ids.next()]
  horizon.stamped(first)
  horizon.stamped(second)
  expect(horizon.claimable()).toBe(first - 1)
  horizon.done(first)
  expect(horizon.current()).toBe(second - 1)
  expect(horizon.claimable()).toBe(first - 1)
  const told: number[] = []
  await horizon.publish(async (id) => void told.push(id))
  expect(told).toEqual([second - 1])
  expect(horizon.claimable()).toBe(second - 1)
  expect([...horizon.published]).toEqual([second - 1, second - 1])
})

test('alone: background work for an event holds the horizon', async () => {
  const ids = createIdSource(() => START_MS)
  const horizon = createHorizonAlone(ids, 1)
  const id = ids.next()
  horizon.stamped(id)
  horizon.opened(id, 1)
  horizon.done(id)
  expect(horizon.current()).toBe(id - 1)
  horizon.closed(id, 1)
  expect(horizon.current()).toBeGreaterThanOrEqual(id)
  expect(horizon.claimable()).toBe(id - 1)
})

test('shared: the horizon of a partition rises to the newest sample whose end its owner has reached', () => {
  const horizon = createHorizonShared(2, (key) => key % 2)
  horizon.owns(new Set([0]))
  horizon.sampled({ low: 100, ends: [10, 10] })
  horizon.sampled({ low: 200, ends: [20, 10] })
  expect(horizon.reached(0, 9)).toBe(0)
  expect(horizon.reached(0, 10)).toBe(100)
  expect(horizon.reached(0, 25)).toBe(200)
})

test('shared: an open plan holds the horizon of its own partition only', () => {
  const horizon = createHorizonShared(2, (key) => key % 2)
  horizon.owns(new Set([0, 1]))
  horizon.opened(150, 2)
  horizon.sampled({ low: 200, ends: [1, 1] })
  expect(horizon.reached(0, 1)).toBe(149)
  expect(horizon.reached(1, 1)).toBe(200)
  horizon.closed(150, 2)
  expect(horizon.reached(0, 1)).toBe(200)
})

test('shared: a page can claim ids up to the lowest horizon of all partitions', () => {
  const horizon = createHorizonShared(2, (key) => key % 2)
  const before = horizon.published
  horizon.told(0, 500)
  expect(horizon.claimable()).toBe(0)
  horizon.told(1, 300)
  expect(horizon.claimable()).toBe(300)
  horizon.told(1, 200)
  expect([...horizon.published]).toEqual([500, 300])
  // A read that began before keeps the array that it took then.
  expect([...before]).toEqual([0, 0])
})

test('shared: an owner that is far behind does not pile up samples', () => {
  const horizon = createHorizonShared(1, () => 0)
  horizon.owns(new Set([0]))
  for (let i = 1; i <= 1_000; i++) horizon.sampled({ low: i, ends: [i] })
  expect(horizon.reached(0, 0)).toBe(0)
  expect(horizon.reached(0, 10)).toBe(10)
  expect(horizon.reached(0, 1_000)).toBe(1_000)
})

test('own ids: one with an unknown outcome is held until a later record is in its partition', () => {
  const ids = createIdSource(() => START_MS)
  const asked: number[] = []
  const own = createOwnIds(ids, 2, (partition) => asked.push(partition))
  const [a, b, c] = [ids.next(), ids.next(), ids.next()]
  own.stamped(a, 0)
  own.stamped(b, 1)
  own.stamped(c, 0)
  own.unknown(a, 0)
  own.appended(b, 1)
  expect(own.low()).toBe(a - 1)
  expect(asked).toEqual([0])
  own.appended(c, 0)
  expect(own.low()).toBeGreaterThanOrEqual(c)
  expect(own.size).toBe(0)
})
