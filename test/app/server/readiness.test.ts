import { expect, test } from 'vitest'
import { watchReadiness } from '../../../src/app/server/readiness.ts'
import { createSimulatedEnv } from '../../../src/ports/env/simulated.ts'

const never = new Promise<never>(() => undefined)

/** Advances the clock, and lets the timers that are due run. */
async function pass(env: ReturnType<typeof createSimulatedEnv>, ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 100) {
    env.advance(100)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('a process is not ready while the log or the store does not answer, and is again when they do', async () => {
  const env = createSimulatedEnv({ seed: 1, startMs: 0 })
  const answers: { log: () => Promise<never[]>; store: () => Promise<never[]> } = {
    log: async () => [],
    store: async () => [],
  }
  const readiness = watchReadiness(env, {
    log: { bounds: () => answers.log() } as never,
    store: { watermark: () => answers.store() } as never,
  })
  await pass(env, 5_000)
  expect(readiness.notReady()).toBeUndefined()
  answers.log = () => Promise.reject(new Error('away'))
  await pass(env, 3_000)
  expect(readiness.notReady()).toBe('the log cannot be reached')
  answers.store = () => never
  await pass(env, 5_000)
  expect(readiness.notReady()).toBe('the log and the store cannot be reached')
  answers.log = answers.store = async () => []
  await pass(env, 5_000)
  expect(readiness.notReady()).toBeUndefined()
  await readiness.close()
})

test('a process that reaches log and store but cannot take writes is not ready either', async () => {
  const env = createSimulatedEnv({ seed: 1, startMs: 0 })
  let refusal: string | undefined
  const readiness = watchReadiness(
    env,
    { log: { bounds: async () => [] } as never, store: { watermark: async () => [] } as never },
    () => refusal,
  )
  await pass(env, 3_000)
  expect(readiness.notReady()).toBeUndefined()
  refusal = 'no ids'
  expect(readiness.notReady()).toBe('no ids')
  await readiness.close()
})
