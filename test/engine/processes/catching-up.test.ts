/** Waiting for what others have written: rounds are shared, and who asks later is not answered by an earlier look. */

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

test('many who ask during a round share the next one', async () => {
  const { world, catchUp } = createWorld()
  const first = catchUp()
  const others = Array.from({ length: 100 }, () => catchUp())
  world.reached = 10
  await Promise.all([first, ...others])
  expect(world.looks).toBe(2)
})

test('what was written during a round is waited for by who asked after it', async () => {
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

test('a failed round fails only those who asked for it', async () => {
  const { world, catchUp } = createWorld()
  world.isAway = true
  const first = catchUp()
  const second = catchUp()
  world.isAway = false
  world.reached = 10
  await expect(first).rejects.toMatchObject({ code: 'unavailable' })
  await second
})

test('what does not come in ten seconds is told', async () => {
  const { env, catchUp } = createWorld()
  const refused = expect(catchUp()).rejects.toMatchObject({ code: 'unavailable' })
  await env.run(11_000)
  await refused
})
