/** The queue of background jobs: one job per key, and limits on waiting jobs, running jobs and starts per second. */

import { expect, test } from 'vitest'
import { createQueue, type Queue } from '../../src/engine/queue.ts'
import { createSimulatedEnv } from '../../src/ports/env/simulated.ts'

function startQueue(options: { jobsMax?: number; jobsPerSecondMax?: number } = {}) {
  const env = createSimulatedEnv({ seed: 1, startMs: 0 })
  const begun: number[] = []
  const failed: number[] = []
  const ends: ((error?: Error) => void)[] = []
  const queue: Queue<number> = createQueue<number>({
    env,
    concurrency: 2,
    jobsMax: options.jobsMax ?? 100,
    jobsPerSecondMax: options.jobsPerSecondMax ?? 1_000,
    onError: (_error, job) => void failed.push(job),
    run(job) {
      begun.push(job)
      return new Promise<void>((resolve, reject) =>
        ends.push((error) => (error === undefined ? resolve() : reject(error))),
      )
    },
  })
  const end = async (error?: Error) => {
    ends.shift()?.(error)
    for (let i = 0; i < 10; i++) await Promise.resolve()
  }
  return { env, queue, begun, failed, end }
}

test('a key is refused while its job waits or runs, and taken again afterwards', async () => {
  const { queue, begun, end } = startQueue()
  expect([queue.add('a', 1), queue.add('a', 2)]).toEqual([true, false])
  expect([queue.add('b', 3), queue.add('c', 4), queue.add('c', 5)]).toEqual([true, true, false])
  expect(begun).toEqual([1, 3])
  await end()
  expect(begun).toEqual([1, 3, 4])
  expect(queue.add('a', 6)).toBe(true)
})

test('a full queue refuses', () => {
  const { queue } = startQueue({ jobsMax: 2 })
  expect([1, 2, 3, 4, 5].map((n) => queue.add(n, n))).toEqual([true, true, true, true, false])
})

test('a job that fails is reported, and the next one runs', async () => {
  const { queue, begun, failed, end } = startQueue()
  for (const n of [1, 2, 3]) queue.add(n, n)
  await end(new Error('planted'))
  expect(failed).toEqual([1])
  expect(begun).toEqual([1, 2, 3])
})

test('no more jobs begin in a second than allowed', async () => {
  const { env, queue, begun, end } = startQueue({ jobsPerSecondMax: 3 })
  for (let n = 0; n < 10; n++) queue.add(n, n)
  for (let n = 0; n < 10; n++) await end()
  expect(begun.length).toBe(3)
  env.advance(1_000)
  for (let n = 0; n < 10; n++) await end()
  expect(begun.length).toBeLessThanOrEqual(6)
  expect(begun.length).toBeGreaterThan(3)
})

test('a stop drops the jobs that wait and awaits those that run', async () => {
  const { queue, begun, end } = startQueue()
  for (const n of [1, 2, 3]) queue.add(n, n)
  let isStopped = false
  const stopped = queue.stop().then(() => (isStopped = true))
  await end()
  expect(isStopped).toBe(false)
  await end()
  await stopped
  expect(begun).toEqual([1, 2])
  expect(queue.add(4, 4)).toBe(false)
})
