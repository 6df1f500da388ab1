/**
 * Posts that come late: where several processes write, the others may take one for dead and let the horizon pass,
 * and only then a post that it had stamped enters the log. Pages from before then claimed to be complete without it,
 * so every process is told, and an `after` of such a page answers `gap` (`home/reveals.ts`).
 */

import { idTimeMs } from '../core/ids.ts'
import type { EngineContext } from '../engine/engine.ts'
import type { Event } from '../engine/events.ts'
import { cameLate } from './events.ts'
import type { Posted } from './fanout/audience.ts'
import { REVEALS_TTL_MS } from './home/reveals.ts'
import { revealsTable } from './tables.ts'

/** The published horizon of the post's partition has passed the post's id. */
export const isLate = (context: EngineContext, event: Event): boolean =>
  context.isShared && !context.isReplayed(event) && event.id <= context.horizon.published[event.partition]

export async function tellLate(context: EngineContext, { body: { author }, version }: Posted): Promise<void> {
  const id = context.ids.next()
  const expiresAtMs = idTimeMs(id) + REVEALS_TTL_MS
  const row = revealsTable.row(revealsTable.key(id), version, { id, author })
  await context.store.write([{ ...row, expiresAtMs }])
  await context.tell(cameLate, author, { id, author })
}
