/**
 * Fires the timers of the log partitions that this process owns: appends each one's event at or after its due time, at
 * least once. Whether an event takes effect is decided where it is projected (`schedule.ts`), so a timer that was
 * cancelled, replaced, or fired by an earlier owner does nothing.
 */

import { Histogram, DELAY_BOUNDS_MS } from '../../core/histogram.ts'
import { idTimeMs, type IdSource } from '../../core/ids.ts'
import { decode } from '../../core/codec.ts'
import { isRetriable, RivuletError } from '../../core/errors.ts'
import type { Env } from '../../ports/env/env.ts'
import { rowVersion, type Row, type RowWrite, type Store } from '../../ports/store/store.ts'
import type { Appender } from '../append.ts'
import type { Event, EventType } from '../events.ts'
import { encodeFired } from './fired.ts'
import { restoreHours } from './restore.ts'
import { SEEN_KEPT_MS, type Scheduled } from './schedule.ts'
import { hourOf, timerHoursTable, timerProgressTable, timersTable } from './tables.ts'
import { createTimerWindow, type TimerWindow } from './window.ts'

export interface TimersOptions {
  readonly env: Env
  readonly store: Store
  readonly epoch: number
  readonly ids: IdSource
  readonly appender: Appender
  readonly partitionOf: (key: number) => number
  readonly types: readonly EventType<any>[]
  readonly onError: (error: unknown) => void
}

export interface Timers {
  /** This process owns these partitions of the log from now on. */
  begin(partitions: readonly number[]): Promise<void>
  drop(partitions: ReadonlySet<number>): void
  /** Rows of these timers stand. */
  scheduled(timers: readonly Scheduled[]): void
  /** An event that a timer has appended is projected, with effect or without. */
  ended(event: Event): void
  /** @param positionOf how far a partition is done: what is saved later must not be lower */
  save(partitions: Iterable<number>, positionOf: (partition: number) => number): Promise<void>
  readonly stats: TimerStats
  stop(): Promise<void>
}

export interface TimerStats {
  fired: number
  /** Of the partitions owned: in memory, or appended and not yet projected. */
  waiting(): number
  /** From the due time until the event was stamped. */
  readonly late: Histogram
}

interface Lane extends TimerWindow {
  /** Appended, or about to be. */
  readonly firing: Map<string, Scheduled>
}

const COMING_MS = 3_600_000
const AT_ONCE = 256
const FIRING_MAX = 2_048
const LOOK_MS_MAX = 1_000
const LOOK_MS_MIN = 10

const nameOf = ({ key, id, scheduledBy }: Pick<Scheduled, 'key' | 'id' | 'scheduledBy'>): string =>
  `${key} ${scheduledBy} ${id}`

export function createTimers(options: TimersOptions): Timers {
  const { env, store, epoch, ids, onError } = options
  const lanes = new Map<number, Lane>()
  const stats: TimerStats = {
    fired: 0,
    waiting: () => [...lanes.values()].reduce((sum, { size, firing }) => sum + size + firing.size, 0),
    late: new Histogram(DELAY_BOUNDS_MS),
  }
  const fire = createFiring(options, stats)
  /** Log time: no id to come is earlier. */
  const nowMs = () => idTimeMs(ids.fence())
  const alarm = createAlarm(env, nowMs, look)

  /** @returns when to look again at the latest */
  async function look(): Promise<number> {
    let nextMs = nowMs() + LOOK_MS_MAX
    for (const lane of [...lanes.values()]) {
      while (await lane.load(store, nowMs() + COMING_MS));
      const isCrowded = await fire(lane, nowMs())
      if (isCrowded) nextMs = nowMs()
      else nextMs = Math.min(nextMs, lane.nextMs())
    }
    return nextMs
  }

  return {
    stats,
    async begin(partitions) {
      const rows = await store.get(partitions.map((partition) => timerProgressTable.key(partition)))
      const known = rows.map((row) => (row === undefined ? undefined : timerProgressTable.decode(row)))
      const unknown = partitions.filter((_, i) => known[i]?.epoch !== epoch)
      // The first start, or another log: which partition a key is in may have changed.
      const first = unknown.length === 0 ? undefined : await restoreHours(options, new Set(unknown))
      for (const [i, partition] of partitions.entries()) {
        const progress = known[i]
        const hour =
          progress?.epoch === epoch
            ? progress.hour
            : Math.min(first?.get(partition) ?? Infinity, hourOf(nowMs()))
        lanes.set(partition, Object.assign(createTimerWindow(partition, hour), { firing: new Map() }))
      }
      alarm.start(onError)
    },
    drop(partitions) {
      for (const partition of partitions) lanes.delete(partition)
    },
    scheduled(timers) {
      for (const timer of timers) {
        lanes.get(timer.partition)?.add(timer)
        alarm.by(timer.dueMs)
      }
    },
    ended({ partition, key, timer }) {
      if (timer !== undefined) lanes.get(partition)?.firing.delete(nameOf({ key, ...timer }))
    },
    async save(partitions, positionOf) {
      const rows = [...partitions].flatMap((partition) => {
        const lane = lanes.get(partition)
        if (lane === undefined) return []
        const hours = [...lane.firing.values()].map(({ dueMs }) => hourOf(dueMs))
        const hour = hours.reduce((a, b) => Math.min(a, b), Math.min(lane.firstHour(), hourOf(nowMs())))
        const key = timerProgressTable.key(partition)
        return [timerProgressTable.row(key, rowVersion(epoch, positionOf(partition)), { epoch, hour })]
      })
      if (rows.length > 0) await store.write(rows)
    },
    stop: alarm.stop,
  }
}

/** @returns a function that fires what is due; it tells whether there may be more */
function createFiring(
  { env, store, appender, types }: TimersOptions,
  stats: TimerStats,
): (lane: Lane, nowMs: number) => Promise<boolean> {
  const byTag = new Map(types.map((type) => [type.tag, type]))

  function giveBack(lane: Lane, timers: readonly Scheduled[]): void {
    lane.putBack(timers.filter((timer) => lane.firing.delete(nameOf(timer))))
  }

  function append(lane: Lane, timer: Scheduled, tag: number, body: Uint8Array): void {
    const { key } = timer
    const type = byTag.get(tag)
    if (type === undefined) {
      const message = `a timer is to append an event of kind ${tag}, which is not known here`
      throw new RivuletError('data_newer_format', message)
    }
    const decoded: unknown = decode(type.body, body)
    try {
      const { appended } = appender.appendRecord(type, key, (id) =>
        encodeFired(type, id, key, decoded, timer),
      )
      stats.fired++
      stats.late.observe(Math.max(0, env.wallMs() - timer.dueMs))
      // It is appended a second time where the outcome is unknown: one of the two has an effect.
      appended.catch(() => giveBack(lane, [timer]))
    } catch (error) {
      giveBack(lane, [timer])
      if (!isRetriable(error)) throw error
    }
  }

  /** Appends those that stand. @returns rows of places that need not be looked at again */
  function appendStanding(
    lane: Lane,
    due: readonly Scheduled[],
    rows: readonly (Row | undefined)[],
  ): RowWrite[] {
    const ended: RowWrite[] = []
    for (const [i, timer] of due.entries()) {
      const row = rows[i]
      const { dueMs, tag, body } = row === undefined ? MISSING : timersTable.decode(row)
      const version = row?.version ?? 0
      if (dueMs === timer.dueMs && version === timer.scheduledBy) append(lane, timer, tag, body)
      else {
        lane.firing.delete(nameOf(timer))
        // Rows of one event may be written one after the other: a timer whose own row is missing is watched for later.
        if (version >= timer.scheduledBy) ended.push(endedHour(timer, version, env.wallMs()))
      }
    }
    return ended
  }

  return async (lane, nowMs) => {
    const limit = Math.min(AT_ONCE, FIRING_MAX - lane.firing.size)
    const due = lane.takeDue(nowMs, limit)
    if (due.length === 0) return false
    // At no moment is one of them neither in the window nor here: a checkpoint would pass it by.
    for (const timer of due) lane.firing.set(nameOf(timer), timer)
    try {
      const rows = await store.get(due.map(({ key, id }) => timersTable.key(key, id)))
      const ended = appendStanding(lane, due, rows)
      if (ended.length > 0) await store.write(ended)
    } catch (error) {
      giveBack(lane, due)
      throw error
    }
    return due.length === limit
  }
}

const MISSING = { dueMs: 0, tag: 0, body: new Uint8Array(0) }

/** The place of a timer that was cancelled or replaced: its row goes by itself. */
function endedHour(timer: Scheduled, version: number, nowMs: number): RowWrite {
  const { partition, key, id, dueMs, scheduledBy } = timer
  const place = timerHoursTable.key(partition, dueMs, key, id)
  const row = timerHoursTable.row(place, version, { key, id, dueMs, scheduledBy })
  return { ...row, expiresAtMs: nowMs + SEEN_KEPT_MS }
}

/** Looks when the next timer is due, one look at a time. */
function createAlarm(env: Env, nowMs: () => number, look: () => Promise<number>) {
  let timer: { cancel(): void } | undefined
  let atMs = Infinity
  let looking: Promise<void> | undefined
  let isStopped = false
  let tell: ((error: unknown) => void) | undefined

  function set(dueMs: number): void {
    timer?.cancel()
    atMs = dueMs
    const delayMs = Math.min(Math.max(dueMs - nowMs(), LOOK_MS_MIN), LOOK_MS_MAX)
    timer = env.timer(delayMs, () => {
      timer = undefined
      looking = lookNow()
    })
  }

  async function lookNow(): Promise<void> {
    atMs = -Infinity
    let nextMs = nowMs() + LOOK_MS_MAX
    try {
      nextMs = await look()
    } catch (error) {
      // An engine that is away only makes timers late.
      if (!isStopped && !isRetriable(error)) tell?.(error)
    } finally {
      if (!isStopped) set(nextMs)
    }
  }

  return {
    start(onError: (error: unknown) => void): void {
      tell = onError
      if (timer === undefined && looking === undefined) set(nowMs())
    },
    /** Something is due then: not later than that it looks again. */
    by(dueMs: number): void {
      if (timer !== undefined && dueMs < atMs) set(dueMs)
    },
    async stop(): Promise<void> {
      isStopped = true
      timer?.cancel()
      await looking
    },
  }
}
