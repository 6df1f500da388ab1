/** Receipts of events that need no plan: pulled ones, and those of ordinary audiences. */

import { idTimeMs } from '../../core/ids.ts'
import type { RowWrite } from '../../ports/store/store.ts'
import type { EngineContext } from '../context.ts'
import type { Counts, Outgoing } from './lanes.ts'
import type { FanoutTables } from './tables.ts'

export function receiptRow(
  { receipts }: FanoutTables<any>,
  { event, share }: Outgoing,
  counts: Counts,
): RowWrite {
  const { id, key, version } = event
  return receipts.row(receipts.key(id), version, {
    id,
    key,
    tier: share === 0 ? 1 : 0,
    share,
    planned: counts.served + counts.skipped,
    done: counts.served,
    skipped: counts.skipped,
    lanes: counts.lanes,
    doneAtMs: Math.max(counts.doneAtMs, idTimeMs(id)),
    doneChunks: [],
    fingerprint: 0,
  })
}

/**
 * Writes the receipts of these events. A receipt that is stored already is kept: it tells how the event was served the
 * first time, and a replay would overwrite it with how the event would be served now.
 */
export async function writeReceipts(
  context: EngineContext,
  receipts: readonly RowWrite[],
  outgoing: readonly Outgoing[],
): Promise<void> {
  const { store } = context
  const isReplay = outgoing.some(({ event }) => context.isReplayed(event))
  const stored = isReplay ? await store.get(receipts) : []
  const fresh = receipts.filter((_, i) => stored[i] === undefined)
  if (fresh.length > 0) await store.write(fresh)
}
