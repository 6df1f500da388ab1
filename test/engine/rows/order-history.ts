/** Random histories of decisions, with crashes. What comes of each is compared with a plain replay of its log. */

import assert from 'node:assert/strict'
import { idTimeMs } from '../../../src/core/ids.ts'
import { isEvent } from '../../../src/engine/domain.ts'
import { eventDecoder, type Decision, type Event } from '../../../src/engine/events.ts'
import { progressed } from '../../../src/engine/processes/progress.ts'
import { redelivered } from '../../../src/engine/worker/redelivery.ts'
import type { Log } from '../../../src/ports/log/log.ts'
import type { Store } from '../../../src/ports/store/store.ts'
import { createCounter, numbersTable, taken, told, toldTable, type Counter } from '../../support/counter.ts'
import { createAloneWorld, createSharedWorld, type EngineWorld } from '../../support/engine-worlds.ts'

const OPEN = 1
const CLOSE = 2
const FAULT = 3

interface Expected {
  readonly decisions: Map<number, Decision<{ seq: number }>>
  readonly numbers: Map<number, number[]>
}

/** What must come of a history, by the simplest program: it reads the log from its first record and decides in order. */
export async function replayed(log: Log): Promise<Expected> {
  const decode = eventDecoder([taken, told, progressed, redelivered])
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

export async function rowsOf(store: Store, key: number, count: number): Promise<(number | undefined)[]> {
  const keys = Array.from({ length: count + 1 }, (_, i) => numbersTable.key(key, i + 1))
  return (await store.get(keys)).map((row) =>
    row === undefined ? undefined : numbersTable.decode(row).event,
  )
}

/** Only the writer of an event knows the reason of a refusal, so comparisons leave it out. */
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
    // In a part of the steps nothing is awaited, so that a process may die with requests under way.
    if (random() < 0.1) await world.restart()
    else if (random() < 0.7) await driven(all)
  }
  await world.settle()
  await world.settle()
  const { decisions, numbers } = await replayed(world.log())
  const known = new Set([...decisions.values()].map((decision) => JSON.stringify(decision)))
  for (const { decision } of answers) {
    if (decision.outcome === 'refused') continue
    assert(known.has(JSON.stringify(decision)), `nobody decided ${JSON.stringify(decision)}`)
  }
  for (const [key, ids] of numbers) {
    assert.deepEqual(await rowsOf(world.store(), key, ids.length), [...ids, undefined])
    const [row] = await world.store().get([toldTable.key(key)])
    assert.equal(row === undefined ? 0 : toldTable.decode(row).highest, ids.length)
  }
  for (const [id, own] of seen) {
    assert.deepEqual([...own], [JSON.stringify(withoutReason(decisions.get(id)))])
  }
  assert(seen.size >= decisions.size, 'a reactor has not seen every event')
}

/** Rejects when a history differs from the replay of its log. @returns how often each fault was injected */
export async function runOrderHistories(isShared: boolean, seeds: number): Promise<Record<string, number>> {
  const happened: Record<string, number> = {}
  for (let seed = 1; seed <= seeds; seed++) {
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
    const create = isShared ? createSharedWorld : createAloneWorld
    const world = await create<Counter>({ seed, happened }, (ports, onFatal, shared) =>
      createCounter(ports, [reactor], shared, onFatal),
    )
    await runHistory(world, seen)
    await world.close()
  }
  return happened
}
