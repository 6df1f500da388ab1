/** When too much is under way, or when the engine ends, a writer gets an error and is never left waiting. */

import { expect, test } from 'vitest'
import { RivuletError } from '../../src/core/errors.ts'
import { accountChanged } from '../../src/graph/events.ts'
import { startEngine } from '../support/engine.ts'

const NOTHING = { number: 0, handle: undefined, displayName: undefined, bio: undefined }

const codesOf = (answers: readonly PromiseSettledResult<unknown>[]) =>
  answers.flatMap((answer) => {
    if (answer.status === 'fulfilled') return []
    return [answer.reason instanceof RivuletError ? answer.reason.code : String(answer.reason)]
  })

test('writes are refused while too many are on their way to the views, and accepted again afterwards', async () => {
  const { rivulet } = await startEngine()
  const append = () => rivulet.engine.produce(accountChanged, 0, NOTHING)
  // All in one turn of the event loop, so that no event has reached the views yet.
  const answers = Promise.allSettled(Array.from({ length: 100_100 }, append))
  expect(rivulet.engine.lagEvents()).toBe(100_000)
  const refused = codesOf(await answers)
  expect(refused.length).toBe(100)
  expect(new Set(refused)).toEqual(new Set(['overloaded']))
  await rivulet.settle()
  expect(rivulet.engine.lagEvents()).toBe(0)
  await append()
  await rivulet.stop()
})

test('a write that is under way when the engine stops is reported as outcome_unknown', async () => {
  const { rivulet } = await startEngine()
  const append = () => rivulet.engine.produce(accountChanged, 0, NOTHING)
  const underWay = Promise.allSettled(Array.from({ length: 1_000 }, append))
  await rivulet.stop()
  for (const code of codesOf(await underWay)) expect(code).toBe('outcome_unknown')
  await expect(append()).rejects.toMatchObject({ code: 'shutting_down' })
})
