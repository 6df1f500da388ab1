/** A decision is made once, and is the same for everybody: dense numbers without a hole, none given twice. */

import { expect, test } from 'vitest'
import { isEvent } from '../../../src/engine/domain.ts'
import { eventDecoder, type Decision, type Event } from '../../../src/engine/events.ts'
import { decided } from '../../../src/engine/processes/decided.ts'
import { progressed } from '../../../src/engine/processes/progress.ts'
import { redelivered } from '../../../src/engine/worker/redelivery.ts'
import { idTimeMs } from '../../../src/core/ids.ts'
import { createRealEnv } from '../../../src/ports/env/real.ts'
import type { Log } from '../../../src/ports/log/log.ts'
import { createMemoryLog } from '../../../src/ports/log/memory/memory.ts'
import { createMemoryStore } from '../../../src/ports/store/memory/memory.ts'
import type { Store } from '../../../src/ports/store/store.ts'
import { createMemoryViews } from '../../../src/ports/views/memory/memory.ts'
import {
  createCounter,
  numbersTable,
  taken,
  told,
  toldTable,
  WINDOW_MS,
  type Counter,
} from '../../support/counter.ts'
import { createAloneWorld, createSharedWorld, type EngineWorld } from '../../support/engine-worlds.ts'

const OPEN = 1
const CLOSE = 2
const FAULT = 3

async function start(): Promise<Counter> {
  const env = createRealEnv()
  const counter = createCounter({
    env,
    log: createMemoryLog({ env, partitions: 1 }),
    store: createMemoryStore({ env }),
    views: createMemoryViews({ bytesMax: 4 * 2 ** 20 }),
  })
  await counter.engine.start()
  return counter
}

test('requests get dense numbers; a repeated one gets the first answer, and learns whether it asked the same', async () => {
  const counter = await start()
  await counter.set(1, 7, OPEN)
  expect(await counter.take(1, 7, 'a', 'text')).toEqual({ outcome: 'made', value: { seq: 1 } })
  expect(await counter.take(1, 7, 'b', 'text')).toEqual({ outcome: 'made', value: { seq: 2 } })
  expect(await counter.take(1, 7, 'a', 'text')).toMatchObject({
    outcome: 'repeated',
    value: { seq: 1 },
    isSame: true,
  })
  expect(await counter.take(1, 7, 'a', 'other')).toMatchObject({
    outcome: 'repeated',
    value: { seq: 1 },
    isSame: false,
  })
  expect(await counter.take(1, 7, 'c')).toEqual({ outcome: 'made', value: { seq: 3 } })
  await counter.engine.stop()
})

test('a refusal and a fault of the domain take no number, and do not stop what comes after', async () => {
  const counter = await start()
  expect(await counter.take(1, 7)).toEqual({ outcome: 'refused', reason: 'closed' })
  await counter.set(1, 7, OPEN)
  expect(await counter.take(1, 7)).toEqual({ outcome: 'made', value: { seq: 1 } })
  await counter.set(1, 7, FAULT)
  expect(counter.notices).toHaveLength(1)
  expect(counter.fatal).toEqual([])
  expect(await counter.take(1, 7)).toEqual({ outcome: 'made', value: { seq: 2 } })
  await counter.engine.stop()
})

interface Expected {
  readonly decisions: Map<number, Decision<{ seq: number }>>
  readonly numbers: Map<number, number[]>
}

/** The same by the simplest program: the log from its first record, one key after the other. */
async function replayed(log: Log): Promise<Expected> {
  const decode = eventDecoder([taken, told, progressed, decided, redelivered])
  const follower = await log.follow()
  const decisions: Expected['decisions'] = new Map()
  const numbers: Expected['numbers'] = new Map()
  const open = new Set<string>()
  const times = new Map<number, number>()
  const outcomes = new Map<string, { id: number; seq: number; content: string; timeMs: number }>()
  for (const [partition, { start: from, end }] of (await log.bounds()).entries()) {
    await follower.seek(partition, from)
    for (let at = from; at < end;) {
      const batch = await follower.next(1_000)
      if (batch === undefined) break
      at = batch.next
      for (const [i, value] of batch.values.entries()) {
        const event = decode(value, log.epoch, partition, batch.positions[i])
        if (isEvent(event, taken)) decisions.set(event.id, decide(event))
      }
    }
    follower.leave(partition)
  }
  await follower.close()
  return { decisions, numbers }

  function decide({ id, body }: Event<ReturnType<typeof taken.body.read>>): Decision<{ seq: number }> {
    const { key, actor, mode, content, request = `#${id}` } = body
    const timeMs = Math.max(times.get(key) ?? 0, idTimeMs(id))
    times.set(key, timeMs)
    const list = numbers.get(key) ?? []
    numbers.set(key, list)
    const name = `${key}.${actor}.${request}`
    const known = outcomes.get(name)
    if (known !== undefined) {
      return {
        outcome: 'repeated',
        of: known.id,
        isSame: known.content === content,
        value: { seq: known.seq },
      }
    }
    if (mode === OPEN) open.add(`${key}.${actor}`)
    if (mode === CLOSE) open.delete(`${key}.${actor}`)
    if (mode === FAULT) return { outcome: 'refused', reason: 'internal' }
    if (mode === 0 && !open.has(`${key}.${actor}`)) return { outcome: 'refused', reason: 'closed' }
    if (mode === 0) list.push(id)
    outcomes.set(name, { id, seq: list.length, content, timeMs })
    return { outcome: 'made', value: { seq: list.length } }
  }
}

async function rowsOf(store: Store, key: number, count: number): Promise<(number | undefined)[]> {
  const keys = Array.from({ length: count + 1 }, (_, i) => numbersTable.key(key, i + 1))
  return (await store.get(keys)).map((row) =>
    row === undefined ? undefined : numbersTable.decode(row).event,
  )
}

/** A refusal is known by its reason to the writer alone. */
const withoutReason = (decision: Decision | undefined) =>
  decision?.outcome === 'refused' ? { outcome: 'refused' } : decision

async function runHistory(world: EngineWorld<Counter>, seen: Map<number, Set<string>>): Promise<void> {
  const { random, driven } = world
  const answers: { decision: Decision; key: number }[] = []
  const pick = (count: number) => Math.floor(random() * count)
  for (let step = 0; step < 120; step++) {
    const key = 1 + pick(3)
    const actor = 1 + pick(2)
    const asked: Promise<unknown>[] = []
    for (let i = pick(6); i >= 0; i--) {
      const process = world.any()
      if (random() < 0.15)
        asked.push(process.set(key, actor, random() < 0.6 ? OPEN : random() < 0.8 ? CLOSE : FAULT))
      else {
        const request = random() < 0.5 ? undefined : `r${pick(20)}`
        asked.push(
          process
            .take(key, actor, request, random() < 0.8 ? 'same' : 'other')
            .then((decision) => answers.push({ decision, key })),
        )
      }
    }
    const all = Promise.allSettled(asked)
    // Not waited for: a process may die with requests under way.
    if (random() < 0.1) await world.restart()
    else if (random() < 0.7) await driven(all)
  }
  await world.settle()
  await world.settle()
  const { decisions, numbers } = await replayed(world.log())
  const known = new Set([...decisions.values()].map((decision) => JSON.stringify(decision)))
  for (const { decision } of answers) {
    if (decision.outcome === 'refused') continue
    expect(known).toContain(JSON.stringify(decision))
  }
  for (const [key, ids] of numbers) {
    expect(await rowsOf(world.store(), key, ids.length)).toEqual([...ids, undefined])
    const [row] = await world.store().get([toldTable.key(key)])
    expect(row === undefined ? 0 : toldTable.decode(row).highest).toBe(ids.length)
  }
  for (const [id, own] of seen) {
    expect([...own]).toEqual([JSON.stringify(withoutReason(decisions.get(id)))])
  }
  expect(seen.size).toBeGreaterThanOrEqual(decisions.size)
}

for (const [name, create] of [
  ['one process that crashes', createAloneWorld],
  ['processes that die and overtake each other', createSharedWorld],
] as const) {
  test(
    `${name}: rows, answers, and reactors agree with a replay of the log`,
    { timeout: 120_000 },
    async () => {
      const happened: Record<string, number> = {}
      for (let seed = 1; seed <= 12; seed++) {
        const seen = new Map<number, Set<string>>()
        const reactor = {
          name: 'counting',
          takes: [taken],
          holds: 'log',
          begins: 'checkpoint',
          async react(events: readonly Event[]) {
            for (const { id, decision } of events) {
              const own = seen.get(id) ?? new Set()
              seen.set(id, own.add(JSON.stringify(withoutReason(decision))))
            }
          },
        } as const
        const world = await create({ seed, happened }, (ports, onFatal, shared) =>
          createCounter(ports, [reactor], shared, onFatal),
        )
        await runHistory(world, seen)
        await world.close()
      }
      expect(happened.tornWrite).toBeGreaterThan(0)
      expect(happened.unknownWrite).toBeGreaterThan(0)
    },
  )
}

test('the window is of log time', () => {
  expect(WINDOW_MS).toBe(7 * 86_400_000)
})
