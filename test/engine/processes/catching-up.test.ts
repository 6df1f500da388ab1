/** Waiting for earlier writes: callers share rounds, and a round that began before a call does not answer it. */

import { expect, test } from 'vitest'
import { createCatchingUp } from '../../../src/engine/processes/catching-up.ts'
import { createSimulatedEnv } from '../../../src/ports/env/simulated.ts'
import { RivuletError } from '../../../src/core/errors.ts'
import type { Log } from '../../../src/ports/log/log.ts'

function createWorld() {
  const env = createSimulatedEnv({ seed: 1, startMs: Date.UTC(2026, 0, 1) })
  const world = { end: 10, reached: 0, looks: 0, isAway: false }
  const log = {
    async bounds() {
      world.looks++
      if (world.isAway) throw new RivuletError('unavailable', 'the log is away')
      return [{ start: 0, end: world.end }]
    },
  } as unknown as Log
  const catchUp = createCatchingUp({
    env,
    log,
    hasReached: (_partition, position) => world.reached >= position,
    isStopped: () => false,
  })
  return { env, world, catchUp }
}

test('callers during a round share the next one', async () => {
  const { world, catchUp } = createWorld()
  const first = catchUp()
  const others = Array.from({ length: 100 }, () => catchUp())
  world.reached = 10
  await Promise.all([first, ...others])
  expect(world.looks).toBe(2)
})

test('a caller during a round also waits for what was written since the round began', async () => {
  const { env, world, catchUp } = createWorld()
  const first = catchUp()
  await env.run(1)
  world.end = 20
  let isSecondDone = false
  const second = catchUp().then(() => (isSecondDone = true))
  world.reached = 10
  await env.run(100)
  await first
  expect(isSecondDone).toBe(false)
  world.reached = 20
  await env.run(100)
  await second
})

test('a failed round only rejects the call that it was for', async () => {
  const { world, catchUp } = createWorld()
  world.isAway = true
  const first = catchUp()
  const second = catchUp()
  world.isAway = false
  world.reached = 10
  await expect(first).rejects.toMatchObject({ code: 'unavailable' })
  await second
})

test('a round that does not end within ten seconds rejects', async () => {
  const { env, catchUp } = createWorld()
  const refused = expect(catchUp()).rejects.toMatchObject({ code: 'unavailable' })
  await env.run(11_000)
  await refused
})
