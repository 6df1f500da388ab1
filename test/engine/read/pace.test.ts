/** Pieces of work run one per turn of the event loop, and other work runs between them. */

import { expect, test } from 'vitest'
import { createPace } from '../../../src/engine/read/pace.ts'
import { createRealEnv } from '../../../src/ports/env/real.ts'

test('other work runs between two pieces, which keep their order', async () => {
  const pace = createPace(createRealEnv())
  const done: string[] = []
  const pieces = ['a', 'b', 'c'].map((name) =>
    pace.turn('read').then(async () => {
      done.push(name)
      // What follows in microtasks still belongs to the piece.
      await Promise.resolve()
      done.push(`${name} to its end`)
    }),
  )
  const beside = (async () => {
    for (let i = 1; i <= 3; i++) {
      await new Promise((resolve) => setImmediate(resolve))
      done.push(`beside ${i}`)
    }
  })()
  await Promise.all([...pieces, beside])
  expect(done.filter((name) => !name.startsWith('beside'))).toEqual([
    'a',
    'a to its end',
    'b',
    'b to its end',
    'c',
    'c to its end',
  ])
  const between = (from: string, to: string) => done.slice(done.indexOf(from), done.indexOf(to)).join(' ')
  expect(between('a', 'b')).toContain('beside')
  expect(between('b', 'c')).toContain('beside')
})

test('a caller gets its turn at once while nothing else waits', async () => {
  const pace = createPace(createRealEnv())
  await pace.turn('read')
  await pace.turn('read')
  await Promise.all([pace.turn('read'), pace.turn('read')])
})

test('requests that are nearly done go before those that have just begun, and these before background work', async () => {
  const pace = createPace(createRealEnv())
  const done: string[] = []
  const stages = ['background', 'begun', 'found', 'read', 'begun', 'found'] as const
  await Promise.all(stages.map((stage, i) => pace.turn(stage).then(() => done.push(`${stage} ${i}`))))
  expect(done).toEqual(['found 2', 'found 5', 'read 3', 'begun 1', 'begun 4', 'background 0'])
})
