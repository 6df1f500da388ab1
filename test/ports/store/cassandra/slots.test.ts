/** The bounds on calls that run at once, and on calls that wait. */

import { expect, test } from 'vitest'
import { createSimulatedEnv } from '../../../../src/ports/env/simulated.ts'
import { createSlots, mapBounded } from '../../../../src/ports/store/cassandra/slots.ts'
import { expectCode } from '../../../../src/ports/store/conformance.ts'

const setUp = (count: number, waitingMax: number) => {
  const env = createSimulatedEnv({ seed: 1, startMs: 0 })
  const slots = createSlots({ env, count, waitingMax, waitMsMax: 100 })
  const ends: (() => void)[] = []
  /** Starts a task that runs until its `end` is called. */
  const task = () => slots.run(() => new Promise<void>((resolve) => ends.push(resolve)))
  return { env, slots, ends, task }
}

/** Waits for a turn of the event loop, so that all promises that can settle have done so. */
const settle = () => new Promise<void>((resolve) => void setImmediate(resolve))

test('no more than so many run, the next in the order they came, and too many are turned away', async () => {
  const { slots, ends, task } = setUp(2, 2)
  const tasks = Array.from({ length: 4 }, task)
  await expectCode(task(), 'overloaded')
  expect(ends).toHaveLength(2)
  ends[0]()
  await settle()
  expect(ends).toHaveLength(3)
  ends[1]()
  await settle()
  expect(ends).toHaveLength(4)
  for (const end of ends) end()
  await Promise.all(tasks)
  expect(slots.isIdle).toBe(true)
})

test('who waited too long is turned away, and the place goes to the next', async () => {
  const { env, slots, ends, task } = setUp(1, 5)
  const first = task()
  const late = task()
  env.advance(90)
  const inTime = task()
  env.advance(20)
  ends[0]()
  await expectCode(late, 'overloaded')
  await settle()
  expect(ends).toHaveLength(2)
  ends[1]()
  await Promise.all([first, inTime])
  expect(slots.isIdle).toBe(true)
})

test('a task that fails gives its place back', async () => {
  const { slots } = setUp(1, 1)
  for (let turn = 0; turn < 3; turn++) {
    await expect(slots.run(() => Promise.reject(new Error('fault')))).rejects.toThrow('fault')
  }
  expect(slots.isIdle).toBe(true)
})

test('answers stand in the order of the items, and after a failure no more are begun', async () => {
  const items = [5, 1, 3, 2, 4]
  let running = 0
  let runningMax = 0
  const double = async (item: number) => {
    runningMax = Math.max(runningMax, ++running)
    for (let turn = 0; turn < item; turn++) await settle()
    running--
    return item * 2
  }
  expect(await mapBounded(items, 2, double)).toEqual([10, 2, 6, 4, 8])
  expect(runningMax).toBe(2)
  expect(await mapBounded([], 2, double)).toEqual([])

  const begun: number[] = []
  const fail = async (item: number) => {
    begun.push(item)
    await settle()
    if (item === 5) throw new Error('fault')
  }
  await expect(mapBounded(items, 2, fail)).rejects.toThrow('fault')
  expect(begun).toEqual([5, 1])
})
