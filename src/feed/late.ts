/**
 * Late posts. With several processes, one may stamp a post with an id, freeze, and be declared dead by the others, so
 * that the horizon passes the id; then it wakes and the post enters the log. Pages made in between claim to be complete
 * without it. So every process is told of the post, and an `after` of such a page answers `gap` (`home/reveals.ts`).
 */

import { idTimeMs } from '../core/ids.ts'
import type { FeedContext } from './context.ts'
import type { Event } from '../engine/events.ts'
import { cameLate, type Posted } from './events.ts'
import { REVEALS_TTL_MS } from './home/reveals.ts'
import { revealsTable } from './tables.ts'

/** The published horizon of the post's partition has passed the post's id. */
export const isLate = (context: FeedContext, event: Event): boolean =>
  context.isShared && !context.isReplayed(event) && event.id <= context.horizon.published[event.partition]

export async function tellLate(context: FeedContext, { body: { author }, version }: Posted): Promise<void> {
  const id = context.ids.next()
  const expiresAtMs = idTimeMs(id) + REVEALS_TTL_MS
  const row = revealsTable.row(revealsTable.key(id), version, { id, author })
  await context.store.write([{ ...row, expiresAtMs }])
  await context.tell(cameLate, author, { id, author })
}
