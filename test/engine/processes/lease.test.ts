/** A deployment has at most one process that has it to itself, even if processes freeze or lose the store. */

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
    /** A holder that dies at once: its timers never fire. */
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

/** The same store, which rejects writes as long as `mayWrite` returns false. */
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

test('a holder that closes its lease says so, and the next one need not wait', async () => {
  const { take, lost } = createDeployment()
  const first = await take()
  await first.close()
  const second = await take()
  await second.close()
  expect(lost).toEqual([])
})

test('while the holder is alive, the next process waits, and says why', async () => {
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

test('when several processes wait for a dead holder, exactly one takes over', async () => {
  const { takeAndVanish, take, pass } = createDeployment()
  await takeAndVanish()
  const isTaken = await Promise.all([1, 2, 3].map(async () => settled(take())))
  await pass(12_000)
  expect(isTaken.filter((one) => one())).toHaveLength(1)
})

test('a holder that was frozen learns that it was replaced', async () => {
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

test('a holder that does not trust its heartbeat refuses calls, and goes on once it has renewed its lease', async () => {
  const { env, take, store, pass } = createDeployment()
  const lease = await take()
  const port = guarded(store, lease)
  await port.watermark()
  // As if the process had been frozen for a while: no heartbeat was written.
  env.advance(8_000)
  await expect(port.watermark()).rejects.toMatchObject({ code: 'unavailable' })
  await pass(3_000)
  await port.watermark()
  await lease.close()
})

test('a guarded port still answers calls that concern this process alone', async () => {
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

test('a holder that can read and not write stops trusting itself, and another process takes over', async () => {
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

test('a holder that stopped trusting itself takes the next lease, and the other process goes on waiting', async () => {
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

test('a process that shares the deployment waits for one that has it to itself', async () => {
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

test('a holder that was frozen finds that other processes share the deployment now', async () => {
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

test('no process gets the deployment to itself while others share it', async () => {
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
  // The process that was refused has left no lease behind.
  expect(await passLeases({ env, store, onNotice: () => undefined })).toBe(0)
  await members.leave()
  const lease = takeLease(options)
  await pass(1_000)
  await (await lease).close()
})
