/**
 * Rows of timers. What stands for a timer is its row in `timers`, in a partition of its own together with one row for
 * each time that it fired. `timer_hours` only says where to look: a row for each due time, by log partition and hour.
 */

import { createHash } from 'node:crypto'
import { bytes, struct, text, u32, u53 } from '../../core/codec.ts'
import { idKey, u32Key } from '../../core/keys.ts'
import { defineTable } from '../rows/tables.ts'

const HOUR_MS = 3_600_000

export const hourOf = (timeMs: number): number => Math.floor(timeMs / HOUR_MS)

/** Ids of timers may be longer than a sort key. */
const named = (key: number, id: string): string =>
  createHash('sha256').update(`${key} ${id}`).digest('base64url').slice(0, 22)

/** Log key and id → what is to happen. The row's version is that of the event that scheduled or ended it. */
export const timersTable = defineTable({
  name: 'timers',
  prefix: 't',
  partition: named,
  value: struct({
    key: u53,
    id: text,
    /** 0 once it has fired or was cancelled. */
    dueMs: u53,
    /** Of the event type that is appended. */
    tag: u32,
    /** Its encoded body. */
    body: bytes,
  }),
})

/** A timer has fired: the row names the event, so that this one, and no other copy, takes effect whenever it is applied. */
export const firedTable = defineTable({
  name: 'timers',
  prefix: 'f',
  partition: (key: number, id: string, _scheduledBy: number) => named(key, id),
  sort: (_key, _id, scheduledBy) => idKey(scheduledBy),
  value: struct({ event: u53 }),
})

/** Where the owner of a log partition looks for timers that come due in an hour. */
export const timerHoursTable = defineTable({
  name: 'timer_hours',
  partition: (partition: number, dueMs: number, _key: number, _id: string) =>
    `${u32Key(partition)}.${hourOf(dueMs)}`,
  sort: (_partition, dueMs, key, id) => `${idKey(dueMs)}.${named(key, id)}`,
  value: struct({ key: u53, id: text, dueMs: u53, scheduledBy: u53 }),
})

/** Before this hour no timer of the log partition stands. */
export const timerProgressTable = defineTable({
  name: 'timer_progress',
  partition: (_partition: number) => 'timers',
  sort: (partition: number) => u32Key(partition),
  value: struct({ epoch: u32, hour: u53 }),
})

export const timerTables = [timersTable, timerHoursTable, timerProgressTable]
