/**
 * The timers of one log partition that come due next, in memory: all of them up to a place in the order of due times,
 * beyond which they are read from the store page by page. So its size is bounded, whatever is pending.
 */

import type { Row, Store } from '../../ports/store/store.ts'
import type { Scheduled } from './schedule.ts'
import { hourOf, timerHoursTable } from './tables.ts'

export interface TimerWindow {
  readonly partition: number
  /** A timer was scheduled just now; its row is in the store. */
  add(timer: Scheduled): void
  /** Takes up to `limit` timers that are due at `nowMs`, the earliest first. */
  takeDue(nowMs: number, limit: number): readonly Scheduled[]
  /** Could not be fired now. */
  putBack(timers: readonly Scheduled[]): void
  /** Reads on where too few are in memory. @returns whether there may be more to read before `untilMs` */
  load(store: Store, untilMs: number): Promise<boolean>
  readonly size: number
  /** When the first one in memory is due; `Infinity` without any. */
  nextMs(): number
  /** The hour before which none is in memory or left to be read. */
  firstHour(): number
}

const PAGE_ROWS = 1_000
/** Below this it reads on. */
const TIMERS_LOW = 1_000
const TIMERS_MAX = 20_000

interface Entry extends Scheduled {
  readonly sort: string
}

const entryOf = (timer: Scheduled): Entry => ({
  ...timer,
  sort: timerHoursTable.key(timer.partition, timer.dueMs, timer.key, timer.id).sort,
})

/** Keeps them in the order of their sort keys. */
function insertInto(entries: Entry[], entry: Entry): void {
  let [low, high] = [0, entries.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (entries[middle].sort < entry.sort) low = middle + 1
    else high = middle
  }
  const same = entries[low]
  // The same place: the timer was scheduled again for the same moment.
  if (same?.sort === entry.sort) {
    if (same.scheduledBy < entry.scheduledBy) entries[low] = entry
  } else entries.splice(low, 0, entry)
}

export function createTimerWindow(partition: number, fromHour: number): TimerWindow {
  const entries: Entry[] = []
  /** Rows below this place are in memory. */
  let hour = fromHour
  let after = ''
  let isLoading = false

  const place = (): string => `${hour}`.padStart(10, '0') + after
  const placeOf = ({ dueMs, sort }: Entry): string => `${hourOf(dueMs)}`.padStart(10, '0') + sort

  /** Leaves the latest to the store. */
  function trim(): void {
    if (entries.length <= TIMERS_MAX || isLoading) return
    const [first] = entries.splice(TIMERS_MAX / 2)
    hour = hourOf(first.dueMs)
    after = first.sort
  }

  function take(rows: readonly Row[]): void {
    for (const row of rows) {
      const { key, id, dueMs, scheduledBy } = timerHoursTable.decode(row)
      insertInto(entries, { partition, key, id, dueMs, scheduledBy, sort: row.sort })
    }
  }

  return {
    partition,
    add(timer) {
      const entry = entryOf(timer)
      // While a page is being read, nobody knows whether it holds this one.
      if (!isLoading && placeOf(entry) >= place()) return
      insertInto(entries, entry)
      trim()
    },
    takeDue(nowMs, limit) {
      let count = 0
      while (count < limit && count < entries.length && entries[count].dueMs <= nowMs) count++
      return entries.splice(0, count)
    },
    putBack(timers) {
      for (const timer of timers) insertInto(entries, entryOf(timer))
    },
    async load(store, untilMs) {
      const last = hourOf(untilMs)
      if (entries.length >= TIMERS_LOW || hour > last) return false
      isLoading = true
      try {
        const { partition: name } = timerHoursTable.key(partition, hour * 3_600_000, 0, '')
        const range = { table: timerHoursTable, partition: name, from: after, limit: PAGE_ROWS }
        const [rows] = await store.range([range])
        take(rows)
        if (rows.length === PAGE_ROWS) after = `${rows[rows.length - 1].sort}0`
        else {
          hour++
          after = ''
        }
      } finally {
        isLoading = false
      }
      return true
    },
    get size() {
      return entries.length
    },
    nextMs: () => (entries.length > 0 ? entries[0].dueMs : Infinity),
    firstHour: () => Math.min(hour, entries.length > 0 ? hourOf(entries[0].dueMs) : Infinity),
  }
}
