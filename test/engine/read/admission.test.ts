/** Admission of expensive reads: a bounded cost at a time, the oldest first, pages before background work. */

import { expect, test } from 'vitest'
import { createAdmission } from '../../../src/engine/read/admission.ts'
import { createSimulatedEnv } from '../../../src/ports/env/simulated.ts'

function start(costMax = 10, waitingMax = 100) {
  const env = createSimulatedEnv({ seed: 1, startMs: 0 })
  const admission = createAdmission({ env, costMax, waitingMax })
  const begun: string[] = []
  const ends = new Map<string, (error?: Error) => void>()
  const task = (name: string) => () => {
    begun.push(name)
    return new Promise<string>((resolve, reject) =>
      ends.set(name, (error) => (error === undefined ? resolve(name) : reject(error))),
    )
  }
  const end = async (name: string, error?: Error) => {
    ends.get(name)?.(error)
    for (let i = 0; i < 10; i++) await Promise.resolve()
  }
  return { env, admission, begun, task, end }
}

test('tasks run together up to the budget, and a task above the budget runs alone', async () => {
  const { admission, begun, task, end } = start()
  for (const [name, cost] of [
    ['a', 6],
    ['b', 4],
    ['c', 50],
    ['d', 1],
  ] as const)
    void admission.run(cost, 0, task(name))
  expect(begun).toEqual(['a', 'b'])
  await end('a')
  expect(begun).toEqual(['a', 'b'])
  await end('b')
  expect(begun).toEqual(['a', 'b', 'c'])
  await end('c')
  expect(begun).toEqual(['a', 'b', 'c', 'd'])
})

test('the oldest request goes first, even if it asks later', async () => {
  const { admission, begun, task, end } = start(1)
  void admission.run(1, 5, task('running'))
  void admission.run(1, 9, task('young'))
  void admission.run(1, 7, task('old'))
  await end('running')
  await end('old')
  expect(begun).toEqual(['running', 'old', 'young'])
})

test('background tasks wait until no other task does', async () => {
  const { admission, begun, task, end } = start(1)
  void admission.run(1, 0, task('first'))
  void admission.runInBackground(1, task('background'))
  void admission.run(1, 0, task('second'))
  await end('first')
  await end('second')
  expect(begun).toEqual(['first', 'second', 'background'])
})

test('a task that fails makes room for others, too', async () => {
  const { admission, begun, task, end } = start(1)
  const failing = admission.run(1, 0, task('failing'))
  const throwing = admission.run(1, 0, () => {
    throw new TypeError('planted')
  })
  void admission.run(1, 0, task('next'))
  await end('failing', new Error('planted'))
  await expect(failing).rejects.toThrow('planted')
  await expect(throwing).rejects.toThrow(TypeError)
  expect(begun).toEqual(['failing', 'next'])
  expect(admission.running).toBe(1)
})

test('beyond the bound of waiting tasks, callers are refused and told when to retry', async () => {
  const { env, admission, task, end } = start(1, 2)
  const first = admission.run(1, 0, task('first'))
  env.advance(500)
  await end('first')
  await first
  for (const name of ['a', 'b', 'c']) void admission.run(1, 0, task(name))
  await expect(admission.run(1, 0, task('d'))).rejects.toMatchObject({ code: 'overloaded', retriable: true })
  expect(admission.waiting).toBe(2)
  expect(admission.backlogMs()).toBe(1_500)
})
