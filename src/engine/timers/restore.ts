/** Makes the hours of timers anew from the timers themselves: for a log whose partitions are others than before. */

import type { RowKey, RowWrite, Store } from '../../ports/store/store.ts'
import { hourOf, timerHoursTable, timersTable } from './tables.ts'

export interface RestoreOptions {
  readonly store: Store
  readonly partitionOf: (key: number) => number
}

const PAGE_ROWS = 1_000

/** @returns by partition, the hour of the first timer that stands */
export async function restoreHours(
  { store, partitionOf }: RestoreOptions,
  partitions: ReadonlySet<number>,
): Promise<ReadonlyMap<number, number>> {
  const first = new Map<number, number>()
  let after: RowKey | undefined
  for (;;) {
    const rows = await store.scan(timersTable, after, PAGE_ROWS)
    const places: RowWrite[] = []
    for (const row of rows) {
      if (!row.sort.startsWith(timersTable.prefix)) continue
      const { key, id, dueMs } = timersTable.decode(row)
      const partition = partitionOf(key)
      if (dueMs === 0 || !partitions.has(partition)) continue
      const place = timerHoursTable.key(partition, dueMs, key, id)
      places.push(timerHoursTable.row(place, row.version, { key, id, dueMs, scheduledBy: row.version }))
      first.set(partition, Math.min(first.get(partition) ?? Infinity, hourOf(dueMs)))
    }
    if (places.length > 0) await store.write(places)
    if (rows.length < PAGE_ROWS) return first
    after = rows[rows.length - 1]
  }
}
