/** When an observer declares a process dead, and how long a process trusts its own heartbeat. */

import { expect, test } from 'vitest'
import { BEAT_STALE_MS, createBeatWatch, createTrust } from '../../../src/engine/processes/beats.ts'
import { createSimulatedEnv } from '../../../src/ports/env/simulated.ts'

const createEnv = () => createSimulatedEnv({ seed: 1, startMs: Date.UTC(2026, 0, 1) })

test('the age of a heartbeat is counted up to the moment when its read began', () => {
  const env = createEnv()
  const watch = createBeatWatch(env)
  expect(watch.saw('one', 1, env.monotonicMs())).toBe(0)
  env.advance(500)
  const askedAtMs = env.monotonicMs()
  // The observer freezes after it got the answer, which says nothing of the time since.
  env.advance(60_000)
  expect(watch.saw('one', 1, askedAtMs)).toBe(500)
  env.advance(BEAT_STALE_MS)
  expect(watch.saw('one', 2, env.monotonicMs())).toBe(0)
  expect(watch.hasBeaten('one')).toBe(true)
})

test('trust counts from the beginning of the last heartbeat, and `end` ends it for good', () => {
  const env = createEnv()
  const trust = createTrust(env)
  expect(trust.isSure()).toBe(false)
  const beganAtMs = env.monotonicMs()
  env.advance(4_000)
  trust.from(beganAtMs)
  expect(trust.isSure()).toBe(true)
  env.advance(3_000)
  expect(trust.isSure()).toBe(false)
  trust.from(env.monotonicMs())
  expect(trust.isSure()).toBe(true)
  trust.end()
  trust.from(env.monotonicMs())
  expect(trust.isSure()).toBe(false)
})
