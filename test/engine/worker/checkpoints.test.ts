/** `unsavedMs`: how long there has been something that no checkpoint holds. */

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

test('while there is nothing to save, the age stays 0', async () => {
  const { env, checkpoints } = newCheckpoints()
  checkpoints.start()
  await env.run(10 * EVERY_MS)
  expect(checkpoints.unsavedMs()).toBe(0)
  checkpoints.ahead(1)
  env.advance(1_000)
  expect(checkpoints.unsavedMs()).toBe(1_000)
})

test('after a checkpoint, the age is that of what came while the checkpoint was made', async () => {
  let finish = () => {}
  const { env, checkpoints } = newCheckpoints(() => new Promise((resolve) => (finish = () => resolve(false))))
  checkpoints.ahead(1)
  env.advance(2_000)
  const saving = checkpoints.save()
  await env.run(500)
  checkpoints.ahead(1)
  env.advance(700)
  // Until the checkpoint is complete, nothing is saved.
  expect(checkpoints.unsavedMs()).toBe(3_200)
  finish()
  await saving
  expect(checkpoints.unsavedMs()).toBe(700)
})

test('what a checkpoint has to leave out keeps its age', async () => {
  const { env, checkpoints } = newCheckpoints(async () => true)
  checkpoints.ahead(1)
  env.advance(2_000)
  await checkpoints.save()
  env.advance(1_000)
  expect(checkpoints.unsavedMs()).toBe(3_000)
})
