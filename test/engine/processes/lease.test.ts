import { expect, test } from 'vitest'
import { guarded, passLeases, takeLease } from '../../../src/engine/processes/lease.ts'
import { createMembers } from '../../../src/engine/processes/members.ts'
import { RivuletError } from '../../../src/core/errors.ts'
import { createSimulatedEnv } from '../../../src/ports/env/simulated.ts'
import { createMemoryLog } from '../../../src/ports/log/memory/memory.ts'
import { createMemoryStore } from '../../../src/ports/store/memory/memory.ts'
import type { Store } from '../../../src/ports/store/store.ts'

const START_MS = Date.UTC(2026, 0, 1)

function createDeployment() {
  const env = createSimulatedEnv({ seed: 1, startMs: START_MS })
  const store = createMemoryStore({ env })
  const notices: string[] = []
  const lost: unknown[] = []
  return {
    env,
    store,
    notices,
    lost,
    take: () =>
      takeLease({
        env,
        store,
        onLost: (error) => lost.push(error),
        onNotice: (text) => notices.push(text),
        waits: true,
      }),
    /** A holder that is gone: its timers do not come. */
    takeAndVanish: () =>
      takeLease({
        env: { ...env, timer: () => ({ cancel: () => undefined }) },
        store,
        onLost: (error) => lost.push(error),
        onNotice: () => undefined,
        waits: true,
      }),
    async pass(ms: number) {
      for (let passedMs = 0; passedMs < ms; passedMs += 100) {
        env.advance(100)
        for (let turns = 0; turns < 20; turns++) await env.yield()
      }
    },
  }
}

/** The same store, of which one process cannot write rows for a while. */
const takingWrites = (store: Store, mayWrite: () => boolean): Store =>
  new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (name === 'write' && !mayWrite()) {
        return () => Promise.reject(new RivuletError('unavailable', 'it takes no writes'))
      }
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })

const settled = async (task: Promise<unknown>) => {
  let isSettled = false
  void task.then(() => (isSettled = true))
  await new Promise((resolve) => setImmediate(resolve))
  return () => isSettled
}

test('who ends says so, and the next need not wait', async () => {
  const { take, lost } = createDeployment()
  const first = await take()
  await first.close()
  const second = await take()
  await second.close()
  expect(lost).toEqual([])
})

test('while one lives, the next waits, and says why', async () => {
  const { take, notices, lost, pass } = createDeployment()
  const first = await take()
  const waiting = take()
  const isTaken = await settled(waiting)
  await pass(60_000)
  expect(isTaken()).toBe(false)
  expect(notices).toEqual(['another process has this deployment to itself; waiting until it ends'])
  await first.close()
  await pass(2_000)
  expect(isTaken()).toBe(true)
  expect(lost).toEqual([])
})

test('of several who wait for one that is gone, one takes over', async () => {
  const { takeAndVanish, take, pass } = createDeployment()
  await takeAndVanish()
  const isTaken = await Promise.all([1, 2, 3].map(async () => settled(take())))
  await pass(12_000)
  expect(isTaken.filter((one) => one())).toHaveLength(1)
})

test('a holder that was frozen and comes back learns that it was replaced', async () => {
  const { env, store, take, lost, pass } = createDeployment()
  const held: (() => void)[] = []
  const frozen = {
    ...env,
    timer: (_ms: number, task: () => void) => (held.push(task), { cancel: () => undefined }),
  }
  await takeLease({
    env: frozen,
    store,
    onLost: (error) => lost.push(error),
    onNotice: () => undefined,
    waits: true,
  })
  const next = take()
  await pass(12_000)
  await next
  expect(lost).toEqual([])
  for (const task of held.splice(0)) task()
  await pass(1_000)
  expect(lost).toMatchObject([{ code: 'data_locked' }])
})

test('a holder that is not sure refuses, and goes on once it has looked', async () => {
  const { env, take, store, pass } = createDeployment()
  const lease = await take()
  const port = guarded(store, lease)
  await port.watermark()
  // As if the process had been stopped for a while: no beat has come.
  env.advance(8_000)
  await expect(port.watermark()).rejects.toMatchObject({ code: 'unavailable' })
  await pass(3_000)
  await port.watermark()
  await lease.close()
})

test('a guarded port asks nobody for what is known', async () => {
  const { env, take } = createDeployment()
  const lease = await take()
  const log = guarded(createMemoryLog({ env, partitions: 4 }), lease)
  const partition = log.partitionOf(1)
  env.advance(8_000)
  expect(log.partitionOf(1)).toBe(partition)
  await expect(log.append([{ key: 1, value: new Uint8Array(1) }])).rejects.toMatchObject({
    code: 'unavailable',
  })
  await log.close()
})

test('who can read and not write is not sure for long, and others take over', async () => {
  const { env, store, take, lost, pass } = createDeployment()
  let isReadOnly = false
  const own = takingWrites(store, () => !isReadOnly)
  const onLost = (error: unknown) => lost.push(error)
  const first = await takeLease({ env, store: own, onLost, onNotice: () => undefined, waits: true })
  const second = take()
  const isTaken = await settled(second)
  isReadOnly = true
  for (let waitedMs = 0; waitedMs < 15_000; waitedMs += 100) {
    await pass(100)
    expect(first.isHeld() && isTaken()).toBe(false)
  }
  expect(isTaken()).toBe(true)
  expect(lost).toMatchObject([{ code: 'data_locked' }])
  expect(first.isHeld()).toBe(false)
})

test('a holder that was not sure takes the next lease itself, and who waits goes on waiting', async () => {
  const { env, store, take, lost, pass } = createDeployment()
  let isAway = false
  const own = takingWrites(store, () => !isAway)
  const onLost = (error: unknown) => lost.push(error)
  const first = await takeLease({ env, store: own, onLost, onNotice: () => undefined, waits: true })
  const second = take()
  const isTaken = await settled(second)
  await pass(1_000)
  isAway = true
  await pass(8_500)
  expect(first.isHeld()).toBe(false)
  isAway = false
  await pass(20_000)
  expect(first.isHeld()).toBe(true)
  expect(isTaken()).toBe(false)
  expect(lost).toEqual([])
  await first.close()
  await pass(1_000)
  expect(isTaken()).toBe(true)
})

test('who shares a deployment waits for who has it alone', async () => {
  const { env, store, take, notices, pass } = createDeployment()
  const lease = await take()
  const passing = passLeases({ env, store, onNotice: (text) => notices.push(text) })
  const hasPassed = await settled(passing)
  await pass(20_000)
  expect(hasPassed()).toBe(false)
  await lease.close()
  await pass(1_000)
  expect(hasPassed()).toBe(true)
})

test('one that had it alone and was frozen finds that others have it now', async () => {
  const { env, store, lost, pass } = createDeployment()
  const held: (() => void)[] = []
  const timer = (_ms: number, task: () => void) => (held.push(task), { cancel: () => undefined })
  await takeLease({
    env: { ...env, timer },
    store,
    onLost: (error) => lost.push(error),
    onNotice: () => undefined,
    waits: true,
  })
  const passing = passLeases({ env, store, onNotice: () => undefined })
  await pass(12_000)
  await passing
  for (const task of held.splice(0)) task()
  await pass(1_000)
  expect(lost).toMatchObject([{ code: 'data_locked' }])
})

test('nobody has it alone while others share it', async () => {
  const { env, store, pass } = createDeployment()
  const gate = async () => 0
  const members = createMembers({
    env,
    store,
    role: 'api',
    gate,
    low: () => 1,
    observe: () => undefined,
    onLost: () => undefined,
  })
  await members.join()
  const options = { env, store, onLost: () => undefined, onNotice: () => undefined, waits: false }
  const refused = takeLease(options).catch((error: unknown) => error)
  await pass(4_000)
  expect(await refused).toMatchObject({ code: 'data_locked' })
  // A command that was refused has changed nothing.
  expect(await passLeases({ env, store, onNotice: () => undefined })).toBe(0)
  await members.leave()
  const lease = takeLease(options)
  await pass(1_000)
  await (await lease).close()
})
