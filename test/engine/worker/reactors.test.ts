/** A reactor that fails or hangs does not hold up any other part, and gets every event in the end. */

import { expect, test } from 'vitest'
import { listDeadLetters, replayDeadLetters } from '../../../src/app/dead-letters.ts'
import { RivuletError } from '../../../src/core/errors.ts'
import type { Reactor } from '../../../src/engine/domain.ts'
import { isEvent } from '../../../src/engine/domain.ts'
import { encodeEvent } from '../../../src/engine/events.ts'
import type { DeadLetter } from '../../../src/engine/worker/dead-letters.ts'
import { redelivery } from '../../../src/engine/worker/redelivery.ts'
import { createRealEnv } from '../../../src/ports/env/real.ts'
import { createMemoryLog } from '../../../src/ports/log/memory/memory.ts'
import { createMemoryStore } from '../../../src/ports/store/memory/memory.ts'
import { createMemoryViews } from '../../../src/ports/views/memory/memory.ts'
import { probed, startProbe } from '../../support/probe.ts'

const env = createRealEnv()

function ports(partitions = 2) {
  const durable = {
    env,
    log: createMemoryLog({ env, partitions }),
    store: createMemoryStore({ env }),
  }
  return {
    ...durable,
    fresh: () => ({ ...durable, views: createMemoryViews({ bytesMax: 16 * 2 ** 20 }) }),
    async letters() {
      const all: DeadLetter[] = []
      await listDeadLetters(durable, (letter) => all.push(letter))
      return all
    },
  }
}

/** A reactor that notes the numbers it gets. While it is broken, it fails on the numbers for which `isBad`. */
function recorder(holds: Reactor['holds'], isBad: (n: number) => boolean = () => false) {
  const got: number[] = []
  const state = { isBroken: true }
  const reactor: Reactor = {
    name: 'recorder',
    takes: [probed],
    holds,
    async react(events) {
      const numbers = events.flatMap((event) => (isEvent(event, probed) ? [event.body.n] : []))
      if (state.isBroken && numbers.some(isBad)) throw new TypeError('a bug of the reactor')
      got.push(...numbers)
    },
  }
  return { got, state, reactor }
}

for (const holds of ['log', ['home']] as const) {
  test(`an event on which a reactor that holds ${String(holds)} fails is buried, told, and replayed after the reactor is fixed`, async () => {
    const world = ports()
    const { got, state, reactor } = recorder(holds, (n) => n === 3)
    const first = await startProbe(world.fresh(), [reactor])
    const [ann, bob] = await Promise.all(
      [1, 2].map(async () => (await first.graph.commands.createAccount({})).number),
    )
    await first.graph.commands.follow(bob, ann)
    for (const n of [1, 2, 3, 4]) await first.probe(n, n)
    const post = await first.feed.commands.post(ann, { content: 'beside it' })
    await first.engine.settle()
    expect([...new Set(got)].sort()).toEqual([1, 2, 4])
    expect(first.fatal).toEqual([])
    expect(first.notices).toHaveLength(1)
    expect(first.notices[0]).toContain('recorder')
    const page = await first.feed.reads.home(bob, { limit: 10 })
    expect(page.items.map(({ id }) => id)).toEqual([post.id])
    expect(page.complete).toBe(true)
    expect(page.horizon).toBeGreaterThan(post.id)
    expect(await world.letters()).toMatchObject([{ reactor: 'recorder', isReplayed: false }])
    await first.engine.stop()

    state.isBroken = false
    got.length = 0
    expect(await replayDeadLetters(world)).toBe(1)
    const second = await startProbe(world.fresh(), [reactor])
    await second.engine.settle()
    expect(got).toContain(3)
    expect(await world.letters()).toMatchObject([{ reactor: 'recorder', isReplayed: true }])
    expect(second.fatal).toEqual([])
    await second.engine.stop()
  })
}

test('a reactor that hangs holds up nobody, and catches up from the log', async () => {
  const world = ports(1)
  const got: number[] = []
  let letGo = () => {}
  const hanging = new Promise<void>((resolve) => (letGo = resolve))
  const reactor: Reactor = {
    name: 'hanging',
    takes: [probed],
    holds: 'log',
    async react(events) {
      await hanging
      for (const event of events) if (isEvent(event, probed)) got.push(event.body.n)
    },
  }
  const probe = await startProbe(world.fresh(), [reactor])
  const count = 100_000
  const at = 500
  for (let n = 0; n < count; n += at) {
    await Promise.all(Array.from({ length: at }, (_, i) => probe.probe(n % 7, n + i)))
  }
  const { number } = await probe.graph.commands.createAccount({})
  const post = await probe.feed.commands.post(number, { content: 'not held up' })
  const page = await probe.feed.reads.home(number, { limit: 1 })
  expect(page.items.map(({ id }) => id)).toEqual([post.id])
  expect(
    probe.engine.worker.reactors.lags().find(({ reactor: name }) => name === 'hanging')?.events,
  ).toBeGreaterThanOrEqual(count)
  letGo()
  await probe.engine.settle()
  expect(got).toEqual(Array.from({ length: count }, (_, n) => n))
  await probe.engine.stop()
})

test('a process ends although a reactor hangs, and the next process goes on where the reactor was', async () => {
  const world = ports()
  const stuck = recorder('log')
  const hangs = { ...stuck.reactor, react: () => new Promise<void>(() => undefined) }
  const first = await startProbe(world.fresh(), [hangs])
  for (const n of [1, 2]) await first.probe(n, n)
  await first.engine.stop()
  const second = await startProbe(world.fresh(), [stuck.reactor])
  await second.engine.settle()
  expect(stuck.got.sort()).toEqual([1, 2])
  await second.engine.stop()
})

test('a retriable error makes the reactor late, and no event is buried', async () => {
  const world = ports()
  const got: number[] = []
  let tries = 0
  const reactor: Reactor = {
    name: 'late',
    takes: [probed],
    holds: 'log',
    async react(events) {
      if (++tries <= 4) throw new RivuletError('unavailable', 'an engine is away')
      for (const event of events) if (isEvent(event, probed)) got.push(event.body.n)
    },
  }
  const probe = await startProbe(world.fresh(), [reactor])
  await probe.probe(1, 1)
  await probe.engine.settle()
  expect(got).toEqual([1])
  expect(await world.letters()).toEqual([])
  await probe.engine.stop()
})

test('a new reactor begins at the end of the log, a known one at its saved position', async () => {
  const world = ports()
  const old = recorder('log')
  const first = await startProbe(world.fresh(), [old.reactor])
  await first.probe(1, 1)
  await first.engine.settle()
  await first.engine.stop()
  const absent = await startProbe(world.fresh(), [])
  await absent.probe(1, 2)
  await absent.engine.settle()
  await absent.engine.stop()
  const young = recorder('log')
  const both = await startProbe(world.fresh(), [old.reactor, { ...young.reactor, name: 'young' }])
  await both.probe(1, 3)
  await both.engine.settle()
  expect(old.got).toEqual([1, 2, 3])
  expect(young.got).toEqual([3])
  await both.engine.stop()
})

test('events of one key stay in order when several calls of a reactor run at once', async () => {
  const world = ports(1)
  const got = new Map<number, number[]>()
  let running = 0
  let most = 0
  const reactor: Reactor = {
    name: 'concurrent',
    takes: [probed],
    holds: 'log',
    concurrency: 4,
    async react(events) {
      most = Math.max(most, ++running)
      await env.yield()
      for (const { key, body } of events) {
        const { n } = body as { n: number }
        got.set(key, [...(got.get(key) ?? []), n])
      }
      running--
    },
  }
  const probe = await startProbe(world.fresh(), [reactor])
  await Promise.all(Array.from({ length: 400 }, (_, n) => probe.probe(n % 8, n)))
  await probe.engine.settle()
  expect(most).toBeGreaterThan(1)
  for (const [key, numbers] of got) {
    expect(numbers).toEqual(Array.from({ length: 50 }, (_, i) => i * 8 + key))
  }
  await probe.engine.stop()
})

test('a replayed dead letter for a reactor that no longer exists is buried again, and the reason names the reactor', async () => {
  const world = ports(1)
  const probe = await startProbe(world.fresh(), [])
  const value = encodeEvent(probed, 5, 1, { key: 1, n: 1 }).toString('base64')
  const letter = { epoch: 1, partition: 0, position: 0, reactor: 'gone', value }
  await world.log.append([{ key: 1, value: redelivery(letter as DeadLetter, 1) }])
  await probe.probe(1, 1)
  await probe.engine.settle()
  const [buried] = await world.letters()
  expect(buried.reason).toContain('gone')
  expect(probe.fatal).toEqual([])
  await probe.engine.stop()
})
