/** Marks all imported accounts as active, so that fan-out does not skip them as readers that were never seen. */

import { ACTIVITY_BLOCK } from '../../graph/activity.ts'
import { activityTable } from '../../graph/index.ts'
import type { RowWrite } from '../../ports/store/store.ts'
import type { ImportRun } from './run.ts'

const MINUTE_MS = 60_000
const BATCH_BLOCKS = 512

export async function markActive(run: ImportRun, numbers: Uint32Array): Promise<void> {
  const blocks = new Map<number, number[]>()
  for (const number of numbers) {
    const block = Math.floor(number / ACTIVITY_BLOCK)
    const own = blocks.get(block)
    if (own === undefined) blocks.set(block, [number])
    else own.push(number)
  }
  const all = [...blocks.keys()]
  for (let from = 0; from < all.length; from += BATCH_BLOCKS) {
    await markBlocks(run, all.slice(from, from + BATCH_BLOCKS), blocks)
  }
}

/** The versions of these rows come from the clock (graph/activity.ts), not from the log. */
async function markBlocks(
  { store, startedAtMs }: ImportRun,
  wanted: readonly number[],
  numbersOf: ReadonlyMap<number, readonly number[]>,
): Promise<void> {
  const minute = Math.floor(startedAtMs / MINUTE_MS)
  const found = await store.get(wanted.map((block) => activityTable.key(block)))
  const rows = wanted.map((block, i): RowWrite => {
    const row = found[i]
    const minutes = new Uint32Array(ACTIVITY_BLOCK)
    if (row !== undefined) minutes.set(activityTable.decode(row).minutes)
    for (const number of numbersOf.get(block) ?? []) {
      const at = number % ACTIVITY_BLOCK
      minutes[at] = Math.max(minutes[at], minute)
    }
    const version = Math.max(startedAtMs, (row?.version ?? 0) + 1)
    return activityTable.row(activityTable.key(block), version, { block, minutes })
  })
  await store.write(rows)
}
