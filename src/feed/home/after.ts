/** What came since an earlier page: everything above its session's horizon, less what the session was served. */

import { runPipeline } from '../../engine/read/pipeline.ts'
import type { PageBelow, PageBelowParts } from './below.ts'
import { openHome, sealHome, withServed } from './cursors.ts'
import type { Asked, HomePage } from './page.ts'
import { newHomeQuery } from './query.ts'
import type { Sessions } from './session.ts'

export type PageAfter = (asked: Asked, after: string) => Promise<HomePage>

/** @param pageBelow gives the newest page instead, with `gap`, where it cannot be told what came since */
export function createPageAfter(
  { context, home, seal, rebuildIfDue }: Omit<PageBelowParts, 'timelines' | 'notReady'>,
  sessions: Sessions,
  pageBelow: PageBelow,
): PageAfter {
  const { env, horizon } = context
  return async (asked, after) => {
    const { reader, circle, limit } = asked
    const { session } = openHome(seal, 'after', reader, after)
    const startOver = async () => ({
      ...(await pageBelow(asked, Infinity, sessions.begin(circle))),
      gap: true,
    })
    if (sessions.pastChanged(session, circle)) return startOver()
    const now = sessions.begin(circle)
    const query = newHomeQuery(asked, horizon.published, Infinity, new Set(session.served))
    const window = { below: Infinity, atLeast: session.horizon + 1, limit: limit + 1 }
    const found = await runPipeline(env, home, query, window, query.failed)
    rebuildIfDue(query, found.removed)
    const items = found.selected
    if (items.length > limit || found.isCut) return startOver()
    // After a restart the horizon may be lower for a while; the new session must not go back below the old one.
    const since = { ...now, horizon: Math.max(now.horizon, session.horizon) }
    const shown = withServed(since, [...items.map(({ id }) => id), ...session.served])
    return {
      items,
      circle: query.circle,
      nextCursor: undefined,
      after: sealHome(seal, reader, 0, shown).after,
      hasMore: false,
      complete: now.horizon > 0,
      horizon: now.horizon,
      gap: false,
      failedSources: found.failed,
    }
  }
}
