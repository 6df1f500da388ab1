/** Who counts as gone, by whose clock, and for how long one trusts oneself. */

import { expect, test } from 'vitest'
import { BEAT_STALE_MS, createBeatWatch, createTrust } from '../../../src/engine/processes/beats.ts'
import { createSimulatedEnv } from '../../../src/ports/env/simulated.ts'

const createEnv = () => createSimulatedEnv({ seed: 1, startMs: Date.UTC(2026, 0, 1) })

test('a beat is as old as what was seen of it when the look began', () => {
  const env = createEnv()
  const watch = createBeatWatch(env)
  expect(watch.saw('one', 1, env.monotonicMs())).toBe(0)
  env.advance(500)
  const askedAtMs = env.monotonicMs()
  // Stopped with the answer at hand: what it says is of the time before.
  env.advance(60_000)
  expect(watch.saw('one', 1, askedAtMs)).toBe(500)
  env.advance(BEAT_STALE_MS)
  expect(watch.saw('one', 2, env.monotonicMs())).toBe(0)
  expect(watch.hasBeaten('one')).toBe(true)
})

test('trust counts from the beginning of the last beat, and ends for good', () => {
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
