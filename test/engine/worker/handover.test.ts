/** The queue of batches between the projection and a reactor. */

import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/core/limits.ts'
import type { Event } from '../../../src/engine/events.ts'
import { createHandover } from '../../../src/engine/worker/handover.ts'
import type { Projected } from '../../../src/engine/worker/projected.ts'

const some = (partition: number, count: number): Projected => ({
  partition,
  from: 0,
  next: count,
  ids: [],
  events: Array.from({ length: count }, (_, id) => ({ id }) as Event),
})
const partitionsOf = (taken: readonly Projected[] | undefined) => taken?.map(({ partition }) => partition)

test('batches of different partitions are taken together, two of one partition are not', async () => {
  const handover = createHandover()
  for (const partition of [1, 2, 3, 2, 1]) handover.put(some(partition, 1))
  expect(partitionsOf(await handover.take())).toEqual([1, 2, 3])
  expect(partitionsOf(await handover.take())).toEqual([2, 1])
})

test('the projection waits for room until batches are done', async () => {
  const handover = createHandover()
  await handover.room()
  handover.put(some(1, 17 * LIMITS.workerBatchEvents))
  let hasRoom = false
  const waiting = handover.room().then(() => (hasRoom = true))
  const taken = await handover.take()
  expect(hasRoom).toBe(false)
  handover.done(taken ?? [])
  await waiting
  expect(handover.events).toBe(0)
})

test('batches of dropped partitions are neither counted nor taken', async () => {
  const handover = createHandover()
  for (const partition of [1, 2, 1]) handover.put(some(partition, 10))
  handover.drop(new Set([1]))
  expect(handover.events).toBe(10)
  expect(partitionsOf(await handover.take())).toEqual([2])
})

test('after the end, batches that wait can still be taken, and then no more come', async () => {
  const handover = createHandover()
  handover.put(some(1, 1))
  handover.end()
  expect(partitionsOf(await handover.take())).toEqual([1])
  expect(await handover.take()).toBeUndefined()
  const idle = createHandover()
  const taking = idle.take()
  idle.end()
  expect(await taking).toBeUndefined()
})
