/** Timers as a projection schedules, replaces, cancels and applies them: all of it rows of the event's own key. */

import { encode } from '../../core/codec.ts'
import { RivuletError } from '../../core/errors.ts'
import { idTimeMs } from '../../core/ids.ts'
import type { RowKey } from '../../ports/store/store.ts'
import type { Event, EventType } from '../events.ts'
import type { Rows } from '../rows/rows.ts'
import { firedTable, timerHoursTable, timersTable } from './tables.ts'

/** A timer that an event has scheduled and that is due at some time. */
export interface Scheduled {
  readonly partition: number
  readonly key: number
  readonly id: string
  readonly dueMs: number
  /** Version of the event. */
  readonly scheduledBy: number
}

const ID_CHARACTERS_MAX = 200
const BODY_BYTES_MAX = 64 * 1024
const AHEAD_MS_MAX = 10 * 366 * 86_400_000
/** Longer than the log holds an event that might be applied again. */
const FIRED_KEPT_MS = 60 * 86_400_000
/** A place in an hour that nobody needs to look at any more. */
export const SEEN_KEPT_MS = 86_400_000

const wrong = (id: string, fault: string) => new RivuletError('invalid_request', `timer ${id}: ${fault}`)

function check(event: Event, id: string, dueMs: number, body: Uint8Array): void {
  const eventMs = idTimeMs(event.id)
  if (id.length === 0 || id.length > ID_CHARACTERS_MAX) {
    throw wrong(id.slice(0, ID_CHARACTERS_MAX), `its id must have 1 to ${ID_CHARACTERS_MAX} characters`)
  }
  if (!Number.isFinite(dueMs)) throw wrong(id, `its due time must be a number of milliseconds, not ${dueMs}`)
  if (dueMs < eventMs) throw wrong(id, 'its due time is before the event that schedules it')
  if (dueMs > eventMs + AHEAD_MS_MAX) throw wrong(id, 'its due time is more than ten years ahead')
  if (body.length > BODY_BYTES_MAX) throw wrong(id, `its event is larger than ${BODY_BYTES_MAX} bytes`)
}

const NOTHING = new Uint8Array(0)

/** @returns what is to be watched for; nothing where the timer is cancelled */
export function schedule<B>(
  rows: Rows,
  event: Event,
  timer: { readonly id: string; readonly dueMs: number; readonly type: EventType<B>; readonly body: B },
): Scheduled | undefined {
  const { key, version, partition } = event
  const { id, type } = timer
  const isCancelled = timer.dueMs === 0
  const body = isCancelled ? NOTHING : encode(type.body, timer.body)
  if (!isCancelled) check(event, id, timer.dueMs, body)
  const dueMs = Math.ceil(timer.dueMs)
  rows.put(timersTable, timersTable.key(key, id), version, { key, id, dueMs, tag: type.tag, body })
  if (isCancelled) return undefined
  const hourKey = timerHoursTable.key(partition, dueMs, key, id)
  rows.put(timerHoursTable, hourKey, version, { key, id, dueMs, scheduledBy: version })
  return { partition, key, id, dueMs, scheduledBy: version }
}

/** Rows that tell whether the event of a timer takes effect. */
export function timerKeys({ key, timer }: Event): readonly RowKey[] {
  if (timer === undefined) return []
  return [timersTable.key(key, timer.id), firedTable.key(key, timer.id, timer.scheduledBy)]
}

/**
 * Ends the timer that appended this event. @returns false where the event has no effect: its timer was cancelled or
 * replaced before it, or another copy of the event came first
 */
export function endTimer(rows: Rows, { key, id: event, version, partition, timer }: Event): boolean {
  if (timer === undefined) return true
  const { id, dueMs, scheduledBy } = timer
  const [timerKey, firedKey] = [timersTable.key(key, id), firedTable.key(key, id, scheduledBy)]
  const before = rows.get(firedTable, firedKey)
  if (before !== undefined && before.event !== event) return false
  const standing = rows.get(timersTable, timerKey)
  const stands = standing?.dueMs === dueMs && rows.versionOf(timerKey) === scheduledBy
  if (before === undefined && !stands) return false
  rows.put(firedTable, firedKey, version, { event }, idTimeMs(event) + FIRED_KEPT_MS)
  rows.put(timersTable, timerKey, version, { key, id, dueMs: 0, tag: 0, body: NOTHING })
  const hourKey = timerHoursTable.key(partition, dueMs, key, id)
  const seenUntilMs = idTimeMs(event) + SEEN_KEPT_MS
  rows.put(timerHoursTable, hourKey, version, { key, id, dueMs, scheduledBy }, seenUntilMs)
  return true
}
