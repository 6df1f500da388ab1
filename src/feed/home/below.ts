/** Pages of the home feed below an id: the newest page, and those that a cursor goes on to. */

import type { CursorSeal } from '../../core/cursor.ts'
import type { RivuletError } from '../../core/errors.ts'
import type { FeedContext } from '../context.ts'
import { runPipeline } from '../../engine/read/pipeline.ts'
import type { Home } from '../home.ts'
import type { Timelines } from '../timelines/timelines.ts'
import { sealHome, withServed, type Session } from './cursors.ts'
import type { Asked, HomePage } from './page.ts'
import { newHomeQuery } from './query.ts'
import type { RebuildIfDue } from './rebuild.ts'

export interface PageBelowParts {
  readonly context: FeedContext
  readonly home: Home
  readonly timelines: Timelines
  readonly seal: CursorSeal
  readonly rebuildIfDue: RebuildIfDue
  readonly notReady: () => RivuletError
}

export type PageBelow = (asked: Asked, below: number, session: Session) => Promise<HomePage>

export function createPageBelow(parts: PageBelowParts): PageBelow {
  const { context, home, timelines, seal, rebuildIfDue, notReady } = parts
  const { env, horizon } = context
  return async (asked, below, session) => {
    const { reader, circle, limit } = asked
    const complete = below === Infinity ? session.horizon : horizon.claimable()
    const query = newHomeQuery(asked, horizon.published, below)
    const found = await runPipeline(env, home, query, { below, atLeast: 0, limit: limit + 1 }, query.failed)
    rebuildIfDue(query, found.removed)
    if (circle.unbackfilled.length > 0) timelines.finish(circle)
    const isFull = found.selected.length > limit
    const items = isFull ? found.selected.slice(0, limit) : found.selected
    // Every item was removed by the last check, and what lies below them cannot be read now.
    if (items.length === 0 && found.isCut) throw notReady()
    const hasMore = isFull || found.isCut
    const served = withServed(
      session,
      items.map(({ id }) => id),
    )
    const position = isFull ? items[items.length - 1].id : found.lower
    const cursors = sealHome(seal, reader, position, served)
    return {
      items,
      circle: query.circle,
      nextCursor: hasMore ? cursors.next : undefined,
      after: cursors.after,
      hasMore,
      // A horizon of 0: no process has told yet how far fan-out is, so nothing can be claimed.
      complete: complete > 0,
      horizon: complete,
      gap: false,
      failedSources: found.failed,
    }
  }
}
