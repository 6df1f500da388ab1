/** Receipts of posts that need no plan: pulled ones, and those of ordinary audiences. */

import { idTimeMs } from '../../core/ids.ts'
import type { FeedContext } from '../context.ts'
import type { RowWrite } from '../../ports/store/store.ts'
import { receiptsTable, type Receipt } from '../tables.ts'
import type { Outgoing } from './audience.ts'

/** How many of an audience are served (`owners`), how many of those were seen lately, and how many are skipped. */
export interface Counts {
  owners: number
  active: number
  inactive: number
}

export function receiptRow({ event, share }: Outgoing, counts: Counts, nowMs: number): RowWrite {
  const receipt: Receipt = {
    post: event.id,
    author: event.body.author,
    tier: share === 0 ? 1 : 0,
    share,
    planned: counts.owners + counts.inactive,
    done: counts.owners,
    skippedInactive: counts.inactive,
    lanes: [0, counts.active, counts.owners - counts.active],
    doneAtMs: Math.max(nowMs, idTimeMs(event.id)),
    doneChunks: [],
    fingerprint: 0,
  }
  return receiptsTable.row(receiptsTable.key(event.id), event.version, receipt)
}

/**
 * Writes the receipts of these posts. A receipt that is stored already is kept: it tells how the post was served the
 * first time, and a replay would overwrite it with how the post would be served now.
 */
export async function writeReceipts(
  context: FeedContext,
  receipts: readonly RowWrite[],
  posts: readonly Outgoing[],
): Promise<void> {
  const { store } = context
  const isReplay = posts.some(({ event }) => context.isReplayed(event))
  const stored = isReplay ? await store.get(receipts) : []
  const fresh = receipts.filter((_, i) => stored[i] === undefined)
  if (fresh.length > 0) await store.write(fresh)
}
