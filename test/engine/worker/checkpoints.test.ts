/** For how long there has been something that no checkpoint holds. */

import { expect, test } from 'vitest'
import { createCheckpoints } from '../../../src/engine/worker/checkpoints.ts'
import { createSimulatedEnv } from '../../../src/ports/env/simulated.ts'

const EVERY_MS = 30_000

function newCheckpoints(save: () => Promise<boolean> = async () => false) {
  const env = createSimulatedEnv({ seed: 1, startMs: 0 })
  const onError = (error: unknown) => {
    throw error
  }
  return { env, checkpoints: createCheckpoints({ env, everyMs: EVERY_MS, save, onError }) }
}

test('nothing to save is no age, however long it lasts', async () => {
  const { env, checkpoints } = newCheckpoints()
  checkpoints.start()
  await env.run(10 * EVERY_MS)
  expect(checkpoints.unsavedMs()).toBe(0)
  checkpoints.ahead(1)
  env.advance(1_000)
  expect(checkpoints.unsavedMs()).toBe(1_000)
})

test('a checkpoint makes it young again; what came while it was made is as old as it is', async () => {
  let finish = () => {}
  const { env, checkpoints } = newCheckpoints(() => new Promise((resolve) => (finish = () => resolve(false))))
  checkpoints.ahead(1)
  env.advance(2_000)
  const saving = checkpoints.save()
  await env.run(500)
  checkpoints.ahead(1)
  env.advance(700)
  // Until it is there, nothing is saved.
  expect(checkpoints.unsavedMs()).toBe(3_200)
  finish()
  await saving
  expect(checkpoints.unsavedMs()).toBe(700)
})

test('what a checkpoint had to leave out stays as old as it was', async () => {
  const { env, checkpoints } = newCheckpoints(async () => true)
  checkpoints.ahead(1)
  env.advance(2_000)
  await checkpoints.save()
  env.advance(1_000)
  expect(checkpoints.unsavedMs()).toBe(3_000)
})
