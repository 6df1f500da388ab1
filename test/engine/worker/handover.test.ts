/** What lies between the two halves of a worker. */

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

test('batches of other partitions go together, two of one do not', async () => {
  const handover = createHandover()
  for (const partition of [1, 2, 3, 2, 1]) handover.put(some(partition, 1))
  expect(partitionsOf(await handover.take())).toEqual([1, 2, 3])
  expect(partitionsOf(await handover.take())).toEqual([2, 1])
})

test('who puts more than there is room for waits until some are done', async () => {
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

test('what is dropped is not waited for', async () => {
  const handover = createHandover()
  for (const partition of [1, 2, 1]) handover.put(some(partition, 10))
  handover.drop(new Set([1]))
  expect(handover.events).toBe(10)
  expect(partitionsOf(await handover.take())).toEqual([2])
})

test('at the end what waits may still be taken, and then nothing comes', async () => {
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
