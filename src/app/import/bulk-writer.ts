/** Writes many rows in large batches; one batch is written while the next is collected. */

import type { RowWrite, Store } from '../../ports/store/store.ts'

const BATCH_ROWS = 2_000
const BATCH_BYTES = 4 << 20

export interface BulkWriter {
  /** Rows of one call are written in one batch: give the rows of a partition together. */
  add(rows: readonly RowWrite[]): Promise<void>
  end(): Promise<void>
}

export function createBulkWriter(store: Store): BulkWriter {
  let rows: RowWrite[] = []
  let bytes = 0
  let writing: Promise<void> = Promise.resolve()

  async function flush(): Promise<void> {
    const batch = rows
    rows = []
    bytes = 0
    await writing
    writing = store.write(batch)
    // The next flush awaits a failure; until then it must not count as an unhandled rejection.
    writing.catch(() => undefined)
  }
  return {
    async add(more) {
      for (const row of more) {
        rows.push(row)
        bytes += row.value.length
      }
      if (rows.length >= BATCH_ROWS || bytes >= BATCH_BYTES) await flush()
    },
    async end() {
      await flush()
      await writing
    },
  }
}
