/** Timers fire once in effect, never early, never when cancelled, whatever crashes; and there may be very many. */

import { expect, test } from 'vitest'
import { createIdSource, idTimeMs } from '../../../src/core/ids.ts'
import { createAppender } from '../../../src/engine/append.ts'
import type { RivuletPorts } from '../../../src/app/rivulet.ts'
import type { Event } from '../../../src/engine/events.ts'
import { createRows } from '../../../src/engine/rows/rows.ts'
import { endTimer, schedule, timerKeys } from '../../../src/engine/timers/schedule.ts'
import { hourOf, timerHoursTable, timerProgressTable } from '../../../src/engine/timers/tables.ts'
import { createTimers } from '../../../src/engine/timers/timers.ts'
import { sleep } from '../../../src/ports/env/sleep.ts'
import { createSimulatedEnv } from '../../../src/ports/env/simulated.ts'
import { createMemoryLog } from '../../../src/ports/log/memory/memory.ts'
import { createMemoryStore } from '../../../src/ports/store/memory/memory.ts'
import type { Store } from '../../../src/ports/store/store.ts'
import { createMemoryViews } from '../../../src/ports/views/memory/memory.ts'
import { createDriver } from '../../feed/machine.ts'
import { createAlarms, rang, ringsTable } from '../../support/alarms.ts'
import { loadChanged, type Change, type PlantedFault } from '../../support/changed.ts'

type History = typeof import('./timer-history.ts')
const load = (changes: readonly Change[] = []) =>
  loadChanged<History>('test/engine/timers/timer-history.ts', changes)

for (const [name, isShared, seeds] of [
  ['one process that crashes', false, 3],
  ['processes that die, and whose clocks are an hour apart', true, 1],
] as const) {
  test(`${name}: every timer fires once in effect, and none early`, { timeout: 120_000 }, async () => {
    const happened = await (await load()).runTimerHistories(isShared, seeds)
    expect(happened.tornWrite).toBeGreaterThan(0)
    expect(happened.unknownWrite).toBeGreaterThan(0)
  })
}

interface TimerFault extends PlantedFault {
  readonly isShared: boolean
}

const fault = (name: string, file: string, find: string, replace: string, isShared = false): TimerFault => ({
  name,
  changes: [{ file: `engine/timers/${file}`, find, replace }],
  isShared,
})

const PLANTED_FAULTS: readonly TimerFault[] = [
  {
    name: 'a timer that has fired stands on, and a copy of its event has an effect, too',
    isShared: false,
    changes: [
      {
        file: 'engine/timers/schedule.ts',
        find: '  if (before !== undefined && before.event !== event) return false\n',
        replace: '',
      },
      {
        file: 'engine/timers/schedule.ts',
        find: '  rows.put(timersTable, timerKey, version, { key, id, dueMs: 0, tag: 0, body: NOTHING })\n',
        replace: '',
      },
    ],
  },
  fault(
    'a cancelled timer fires',
    'schedule.ts',
    'standing?.dueMs === dueMs && rows.versionOf(timerKey) === scheduledBy',
    'standing !== undefined',
  ),
  fault(
    'a timer fires early',
    'window.ts',
    'entries[count].dueMs <= nowMs',
    'entries[count].dueMs <= nowMs + 60_000',
  ),
  fault('a bucket of an hour is skipped', 'window.ts', 'hour++', 'hour += 2'),
  fault(
    'timers are lost at a change of owner',
    'timers.ts',
    '            ? progress.hour\n',
    '            ? hourOf(nowMs()) + 1\n',
    true,
  ),
]

test.for(PLANTED_FAULTS)(
  'planted fault is caught: $name',
  { timeout: 240_000 },
  async ({ changes, isShared }) => {
    const { runTimerHistories } = await load(changes)
    await expect(runTimerHistories(isShared, 20)).rejects.toThrow()
  },
)

async function startAlone() {
  const env = createSimulatedEnv({ seed: 1, startMs: Date.UTC(2026, 5, 1, 12) })
  const { driven, fail } = createDriver(env)
  const ports: RivuletPorts = {
    env,
    log: createMemoryLog({ env, partitions: 2 }),
    store: createMemoryStore({ env }),
    views: createMemoryViews({ bytesMax: 8 * 2 ** 20 }),
  }
  const alarms = createAlarms(ports, undefined, fail)
  await driven(alarms.engine.start())
  return { env, driven, ports, alarms }
}

test(
  'more timers than fit in memory wait in the store, and all of them fire',
  { timeout: 60_000 },
  async () => {
    const { env, driven, ports, alarms } = await startAlone()
    await driven(sleep(env, 2_000))
    const count = 24_000
    for (let at = 0; at < count; at += 1_000) {
      const some = Array.from({ length: 1_000 }, (_, i) =>
        alarms.set((at + i) % 50, `${at + i}`, 1_800_000 + at + i),
      )
      await driven(Promise.all(some))
    }
    const waiting = alarms.engine.timers.waiting()
    expect(waiting).toBeGreaterThan(0)
    expect(waiting).toBeLessThanOrEqual(2 * 20_000)
    env.advance(1_800_000 + count)
    await driven(
      (async () => {
        while (alarms.engine.timers.fired < count) await env.yield()
        await alarms.engine.settle()
      })(),
    )
    let rings = 0
    for (let key = 0; key < 50; key++) {
      const { partition } = ringsTable.key(key, 0)
      const [rows] = await ports.store.range([{ table: ringsTable, partition, from: '', limit: 10_000 }])
      for (const row of rows) rings += ringsTable.decode(row).times
    }
    expect(rings).toBe(count)
    await driven(alarms.engine.stop())
  },
)

async function startTimers(store: Store) {
  const env = createSimulatedEnv({ seed: 1, startMs: Date.UTC(2026, 5, 1, 12) })
  const ids = createIdSource(env.wallMs)
  const log = createMemoryLog({ env, partitions: 1 })
  const tracker = {
    refusal: () => undefined,
    stamped: () => undefined,
    appended: () => undefined,
    failed: () => undefined,
  }
  const appender = createAppender({ env, log, ids, tracker })
  const onError = (error: unknown) => {
    throw error
  }
  const timers = createTimers({
    env,
    store,
    epoch: 1,
    ids,
    appender,
    partitionOf: () => 0,
    types: [rang],
    onError,
  })
  await timers.begin([0])
  const dueMs = env.wallMs() + 5_000
  const event = { id: ids.next(), key: 1, version: 7, partition: 0 } as Event
  const rows = createRows(store)
  const timer = schedule(rows, event, {
    ...{ id: 'a', dueMs, type: rang },
    body: { key: 1, alarm: 'a', set: 1, padding: '' },
  })
  return { env, timers, dueMs, timer, rows: rows.changes().first }
}

test('of copies of an event the first has an effect, whenever it is applied; a cancelled timer has none', async () => {
  const rows = createRows(createMemoryStore({ env: createSimulatedEnv({ seed: 1, startMs: 0 }) }))
  const base = 4_550_914_812_897_792
  const at = (version: number) => ({ id: base + version, key: 1, version, partition: 0 }) as Event
  const dueMs = idTimeMs(base) + 1_000
  const timer = { id: 'a', dueMs, type: rang, body: { key: 1, alarm: 'a', set: 1, padding: '' } }
  schedule(rows, at(1), timer)
  const fired = (version: number, scheduledBy = 1): Event => ({
    ...at(version),
    timer: { id: 'a', dueMs, scheduledBy },
  })
  await rows.load(timerKeys(fired(2)))
  expect([endTimer(rows, fired(2)), endTimer(rows, fired(3)), endTimer(rows, fired(2))]).toEqual([
    true,
    false,
    true,
  ])
  schedule(rows, at(4), timer)
  await rows.load(timerKeys(fired(5, 4)))
  expect(endTimer(rows, fired(3))).toBe(false)
  schedule(rows, at(5), { ...timer, dueMs: 0 })
  expect(endTimer(rows, fired(6, 4))).toBe(false)
})

test('a checkpoint does not pass a timer that is being fired', async () => {
  const inner = createMemoryStore({ env: createSimulatedEnv({ seed: 1, startMs: 0 }) })
  let isHanging = false
  const get: Store['get'] = (keys) => (isHanging ? new Promise(() => undefined) : inner.get(keys))
  const { env, timers, dueMs, timer, rows } = await startTimers({ ...inner, get })
  await inner.write(rows)
  if (timer !== undefined) timers.scheduled([timer])
  await env.run(3_000)
  isHanging = true
  await env.run(3 * 3_600_000)
  await timers.save([0], () => 10)
  const [saved] = await inner.get([timerProgressTable.key(0)])
  expect(saved && timerProgressTable.decode(saved).hour).toBe(hourOf(dueMs))
})

test('a place whose timer is not written yet is kept', async () => {
  const store = createMemoryStore({ env: createSimulatedEnv({ seed: 1, startMs: 0 }) })
  const { env, timers, dueMs, rows } = await startTimers(store)
  const place = timerHoursTable.key(0, dueMs, 1, 'a')
  await store.write(rows.filter(({ table }) => table.name === timerHoursTable.name))
  await env.run(60_000)
  const [row] = await store.scan(timerHoursTable, undefined, 10)
  expect(row).toMatchObject({ sort: place.sort, version: 7 })
  expect(row.expiresAtMs).toBeUndefined()
  expect(timers.stats.fired).toBe(0)
  await timers.stop()
})

test('a timer that cannot be is refused with what to change', () => {
  const rows = createRows(createMemoryStore({ env: createSimulatedEnv({ seed: 1, startMs: 0 }) }))
  const event = { id: 4_550_914_812_897_792, key: 1, version: 1, partition: 0 } as Event
  const eventMs = idTimeMs(event.id)
  const year = 366 * 86_400_000
  const body = (padding = '') => ({ key: 1, alarm: 'a', set: 1, padding })
  const tried = (id: string, dueMs: number, padding?: string) => () =>
    schedule(rows, event, { id, dueMs, type: rang, body: body(padding) })
  const refused = (task: () => unknown, message: RegExp) =>
    expect(task).toThrow(
      expect.objectContaining({ code: 'invalid_request', message: expect.stringMatching(message) }),
    )
  refused(tried('a', eventMs - 1), /before the event/)
  refused(tried('a', eventMs + 100 * year), /ten years/)
  refused(tried('a', Number.NaN), /number of milliseconds/)
  refused(tried('a', Infinity), /number of milliseconds/)
  refused(tried('', eventMs), /1 to 200 characters/)
  refused(tried('x'.repeat(201), eventMs), /1 to 200 characters/)
  refused(tried('a', eventMs, 'x'.repeat(70_000)), /larger than 65536 bytes/)
  expect(tried('a', eventMs)()).toMatchObject({ dueMs: eventMs })
  expect(tried('a', 0)()).toBeUndefined()
})
