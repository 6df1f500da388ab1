/** Which processes count as alive, which ids hold the horizon, and when a process may give out ids. */

import { expect, test } from 'vitest'
import { createMembers, awaitNobody, membersTable } from '../../../src/engine/processes/members.ts'
import type { Env } from '../../../src/ports/env/env.ts'
import { createSimulatedEnv } from '../../../src/ports/env/simulated.ts'
import { createMemoryStore } from '../../../src/ports/store/memory/memory.ts'

const START_MS = Date.UTC(2026, 0, 1)

function createDeployment() {
  const env = createSimulatedEnv({ seed: 1, startMs: START_MS })
  const store = createMemoryStore({ env })
  const lost: unknown[] = []
  return {
    env,
    store,
    lost,
    process(low: number, own: Env = env, observe: (id: number) => void = () => undefined) {
      const state = { low }
      const gate = async () => 0
      const members = createMembers({
        env: own,
        store,
        role: 'all',
        gate,
        low: () => state.low,
        observe,
        onLost: (error) => lost.push(error),
      })
      return { state, members }
    },
  }
}

/** The env of a process that is frozen or dead: its timers never fire. */
const frozen = (env: Env): Env => ({ ...env, timer: () => ({ cancel: () => undefined }) })

test('the lowest id up to which a process has appended everything holds the horizon', async () => {
  const { env, process } = createDeployment()
  const [one, two] = [process(100), process(50)]
  await one.members.join()
  await two.members.join()
  expect((await one.members.lows()).low).toBe(50)
  two.state.low = 200
  await env.run(1_000)
  expect((await one.members.lows()).low).toBe(100)
  await one.members.leave()
  expect((await two.members.lows()).low).toBe(200)
  await two.members.leave()
  await expect(two.members.lows()).rejects.toMatchObject({ code: 'unavailable' })
})

test('a process that joins observes the ids that horizons may have passed already', async () => {
  const { env, process } = createDeployment()
  const one = process(700)
  await one.members.join()
  await env.run(1_000)
  const seen: number[] = []
  await process(0, env, (id) => seen.push(id)).members.join()
  expect(Math.max(...seen)).toBe(700)
})

test('while a process is joining, it holds every horizon', async () => {
  const { env, store, process } = createDeployment()
  const one = process(700)
  await one.members.join()
  let open: () => void = () => undefined
  const gate = () => new Promise<number>((resolve) => (open = () => resolve(0)))
  const joining = createMembers({
    env,
    store,
    role: 'api',
    gate,
    low: () => 900,
    observe: () => undefined,
    onLost: () => undefined,
  })
  const joined = joining.join()
  await env.run(1_000)
  expect((await one.members.lows()).low).toBe(0)
  expect(joining.isSure()).toBe(false)
  open()
  await joined
  expect(joining.isSure()).toBe(true)
  expect((await one.members.lows()).low).toBe(700)
})

test('a frozen process stops trusting itself before others declare it dead', async () => {
  const { env, process } = createDeployment()
  const one = process(700)
  const still = process(100, frozen(env))
  await one.members.join()
  await still.members.join()
  expect((await one.members.lows()).low).toBe(100)
  await env.run(8_000)
  expect(still.members.isSure()).toBe(false)
  expect((await one.members.lows()).low).toBe(100)
  await env.run(4_000)
  expect((await one.members.lows()).low).toBe(700)
})

test('a process that was declared dead joins again under another name', async () => {
  const { env, process } = createDeployment()
  const one = process(700)
  await one.members.join()
  const name = one.members.name
  // As if it had been frozen for a minute: its clock has moved, and no timer has fired.
  env.advance(60_000)
  expect(one.members.isSure()).toBe(false)
  await env.run(2_000)
  expect(one.members.isSure()).toBe(true)
  expect(one.members.name).not.toBe(name)
})

test('a process that needs the deployment to itself is refused by live processes, and not by dead ones', async () => {
  const { env, store, process } = createDeployment()
  const one = process(1)
  await one.members.join()
  const alone = { env, store, onNotice: () => undefined, waits: false }
  const refused = awaitNobody(alone).catch((error: unknown) => error)
  await env.run(3_000)
  expect(await refused).toMatchObject({ code: 'data_locked' })
  await one.members.leave()
  await process(1, frozen(env)).members.join()
  const passed = awaitNobody(alone)
  await env.run(12_000)
  await passed
})

test('a process that was declared dead does not go on if another one had the deployment to itself meanwhile', async () => {
  const { env, store, lost } = createDeployment()
  let aloneCount = 3
  const members = createMembers({
    env,
    store,
    role: 'all',
    gate: async () => aloneCount,
    low: () => 1,
    observe: () => undefined,
    onLost: (error) => lost.push(error),
  })
  await members.join()
  env.advance(60_000)
  await env.run(2_000)
  expect(members.isSure()).toBe(true)
  aloneCount = 4
  env.advance(60_000)
  await env.run(2_000)
  expect(members.isSure()).toBe(false)
  expect(lost[0]).toMatchObject({ code: 'data_locked' })
})

test('a process that has been dead for long does not hold up a new observer', async () => {
  const { env, process } = createDeployment()
  const one = process(700)
  await one.members.join()
  await process(100, frozen(env)).members.join()
  for (let passedMs = 0; passedMs < 40_000; passedMs += 1_000) {
    await env.run(1_000)
    await one.members.lows()
  }
  const late = process(900)
  await late.members.join()
  expect((await late.members.lows()).low).toBe(700)
})

test('a process whose row was removed joins again under another name', async () => {
  const { env, store, process } = createDeployment()
  const [one, two] = [process(100), process(200)]
  await one.members.join()
  await two.members.join()
  const { name } = one.members
  const ended = { name, role: 'all', beat: 2 ** 52, low: 0, ended: true }
  await store.write([membersTable.row(membersTable.key(name), ended.beat, ended)])
  expect((await two.members.lows()).low).toBe(200)
  await env.run(3_000)
  expect(one.members.name).not.toBe(name)
  expect(one.members.isSure()).toBe(true)
  expect((await two.members.lows()).low).toBe(100)
  await one.members.leave()
  await two.members.leave()
})
