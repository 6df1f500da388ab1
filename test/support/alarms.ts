/** A domain for tests of timers: alarms that are set, moved, stopped, and ring. */

import { struct, text, u32, u53 } from '../../src/core/codec.ts'
import { idKey } from '../../src/core/keys.ts'
import { wholePorts, type RivuletPorts } from '../../src/app/rivulet.ts'
import type { DomainSpec } from '../../src/engine/domain.ts'
import { createEngine, type Engine } from '../../src/engine/engine.ts'
import { defineEvent } from '../../src/engine/events.ts'
import type { SharedOptions } from '../../src/engine/processes/shared.ts'
import { projection } from '../../src/engine/rows/projection.ts'
import { defineTable } from '../../src/engine/rows/tables.ts'
import { idTimeMs } from '../../src/core/ids.ts'

/** Key: `key`. `inMs` after the event's own time; 0 stops the alarm. */
export const set = defineEvent(220, 'alarm_set', struct({ key: u53, alarm: text, inMs: u53 }))
/** Key: `key`. Appended by a timer; `set` names the event that scheduled it. */
export const rang = defineEvent(221, 'alarm_rang', struct({ key: u53, alarm: text, set: u53, padding: text }))

/** How often an alarm rang, by the event that had set it. */
export const ringsTable = defineTable({
  name: 'alarm_rings',
  partition: (key: number, _set: number) => idKey(key),
  sort: (_key, by) => idKey(by),
  value: struct({ times: u32, event: u53 }),
})

const onSet = projection({
  on: set,
  apply({ id, body: { key, alarm, inMs } }, _rows, effects) {
    const dueMs = inMs === 0 ? 0 : idTimeMs(id) + inMs
    effects.schedule(alarm, dueMs, rang, { key, alarm, set: id, padding: '' })
  },
})

const onRang = projection({
  on: rang,
  needs: ({ body }) => [ringsTable.key(body.key, body.set)],
  apply({ id, body: { key, set: by }, version }, rows) {
    const row = ringsTable.key(key, by)
    if (rows.versionOf(row) >= version) return
    rows.put(ringsTable, row, version, { times: (rows.get(ringsTable, row)?.times ?? 0) + 1, event: id })
  },
})

const alarmsDomain: DomainSpec<undefined> = {
  name: 'alarms',
  tags: [220, 221],
  events: [set, rang],
  tables: [ringsTable],
  create: () => ({ api: undefined, projections: [onSet, onRang] }),
}

/** For domains that need neither a secret nor settings. */
export const NO_HOST = { secret: new Uint8Array(32), setting: () => undefined }

export interface Alarms {
  readonly engine: Engine
  readonly notices: string[]
  readonly fatal: unknown[]
  /** @param inMs 0 stops it */
  set(key: number, alarm: string, inMs: number): Promise<number>
}

export function createAlarms(
  ports: RivuletPorts,
  shared?: SharedOptions,
  onFatal?: (error: unknown) => void,
): Alarms {
  const notices: string[] = []
  const fatal: unknown[] = []
  const engine = createEngine(
    {
      ...wholePorts(ports),
      shared,
      onFatal(error) {
        fatal.push(error)
        onFatal?.(error)
      },
      onNotice: (notice) => notices.push(notice),
    },
    [alarmsDomain],
    NO_HOST,
  )
  return {
    engine,
    notices,
    fatal,
    set: async (key, alarm, inMs) => (await engine.produce(set, key, { key, alarm, inMs })).id,
  }
}
