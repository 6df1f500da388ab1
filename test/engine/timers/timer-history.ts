/** Random histories of timers with crashes, changes of owner and long absences, held against a replay of the log. */

import assert from 'node:assert/strict'
import { idTimeMs } from '../../../src/core/ids.ts'
import { isEvent } from '../../../src/engine/domain.ts'
import { eventDecoder, type Event } from '../../../src/engine/events.ts'
import { progressed } from '../../../src/engine/processes/progress.ts'
import { fired, withTimers } from '../../../src/engine/timers/fired.ts'
import { sleep } from '../../../src/ports/env/sleep.ts'
import type { Log } from '../../../src/ports/log/log.ts'
import { createAlarms, rang, ringsTable, set, type Alarms } from '../../support/alarms.ts'
import { createAloneWorld, createSharedWorld, type EngineWorld } from '../../support/engine-worlds.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const AHEAD_MS_MAX = 3 * HOUR_MS
const KEYS = 3
const NAMES = 3
const STEPS = 40

interface Replayed {
  /** By the event that set an alarm, the event with which it rang. */
  readonly rings: ReadonlyMap<number, { readonly key: number; readonly event: number }>
  /** Alarms that stand. */
  readonly standing: readonly { readonly dueMs: number; readonly set: number }[]
  readonly copies: number
}

async function* events(log: Log): AsyncGenerator<Event> {
  const decode = withTimers(eventDecoder([set, rang, progressed, fired]))
  const follower = await log.follow()
  for (const [partition, { start, end }] of (await log.bounds()).entries()) {
    await follower.seek(partition, start)
    for (let at = start; at < end;) {
      const batch = await follower.next(1_000)
      if (batch === undefined) break
      at = batch.next
      for (const [i, value] of batch.values.entries()) {
        yield decode(value, log.epoch, partition, batch.positions[i])
      }
    }
    follower.leave(partition)
  }
  await follower.close()
}

/** What each event of the log did, by the simplest program. */
async function replay(log: Log): Promise<Replayed> {
  const standing = new Map<string, { readonly dueMs: number; readonly set: number }>()
  const rings = new Map<number, { key: number; event: number }>()
  let copies = 0
  for await (const event of events(log)) {
    if (isEvent(event, set)) {
      const { key, alarm, inMs } = event.body
      const name = `${key} ${alarm}`
      if (inMs === 0) standing.delete(name)
      else standing.set(name, { dueMs: idTimeMs(event.id) + inMs, set: event.id })
    } else if (isEvent(event, rang)) {
      const { key, alarm, set: by } = event.body
      const name = `${key} ${alarm}`
      const timer = standing.get(name)
      assert(
        event.timer !== undefined && idTimeMs(event.id) >= event.timer.dueMs,
        'it fired before it was due',
      )
      if (timer?.set !== by) copies++
      else {
        rings.set(by, { key, event: event.id })
        standing.delete(name)
      }
    }
  }
  return { rings, standing: [...standing.values()], copies }
}

async function runHistory(world: EngineWorld<Alarms>): Promise<void> {
  const { env, random, driven } = world
  const pick = (count: number) => Math.floor(random() * count)
  for (let step = 0; step < STEPS; step++) {
    const asked: Promise<unknown>[] = []
    for (let i = pick(5); i >= 0; i--) {
      const inMs = random() < 0.25 ? 0 : random() < 0.5 ? 1 + pick(60) : 1 + pick(AHEAD_MS_MAX)
      asked.push(world.any().set(1 + pick(KEYS), `alarm ${pick(NAMES)}`, inMs))
    }
    const all = Promise.allSettled(asked)
    if (random() < 0.15) await world.restart(random() < 0.2 ? 24 * HOUR_MS : pick(2) * pick(2 * HOUR_MS))
    else if (random() < 0.8) await driven(all)
    if (random() < 0.5) {
      env.advance(random() < 0.5 ? pick(MINUTE_MS) : pick(HOUR_MS))
      await driven(sleep(env, 2_000))
    }
  }
  // Clocks are up to an hour apart, and time is that of the fastest.
  for (let hours = 0; hours < 6; hours++) {
    env.advance(HOUR_MS)
    await driven(sleep(env, 3_000))
  }
  await world.settle()
  await world.settle()
  const { rings, standing } = await replay(world.log())
  assert.deepEqual(standing, [], 'timers that were due have not fired')
  for (const [by, { key, event }] of rings) {
    const [row] = await world.store().get([ringsTable.key(key, by)])
    assert.deepEqual(row === undefined ? undefined : ringsTable.decode(row), { times: 1, event })
  }
  let rows = 0
  for (let key = 1; key <= KEYS; key++) {
    const { partition } = ringsTable.key(key, 0)
    const [found] = await world.store().range([{ table: ringsTable, partition, from: '', limit: 10_000 }])
    rows += found.length
  }
  assert.equal(rows, rings.size)
}

/** Rejects when a history disagrees. @returns what has really happened */
export async function runTimerHistories(isShared: boolean, seeds: number): Promise<Record<string, number>> {
  const happened: Record<string, number> = {}
  for (let seed = 1; seed <= seeds; seed++) {
    const create = isShared ? createSharedWorld : createAloneWorld
    const world = await create<Alarms>({ seed, happened }, (ports, onFatal, shared) =>
      createAlarms(ports, shared, onFatal),
    )
    await runHistory(world).catch((error: unknown) => {
      throw new Error(`seed ${seed} of ${isShared ? 'shared' : 'alone'}`, { cause: error })
    })
    await world.close()
  }
  return happened
}
