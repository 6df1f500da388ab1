/**
 * A reading session: it begins with a first page and is carried in the cursors of its pages. `after` needs it to tell
 * exactly what came since, and whether that can be told at all.
 */

import type { Horizon } from '../../engine/horizon/horizon.ts'
import { follows, type Circle } from '../../graph/index.ts'
import type { Session } from './cursors.ts'
import type { Reveals } from './reveals.ts'

export interface Sessions {
  begin(circle: Circle): Session
  /**
   * Whether posts below the session's horizon may have appeared since it began. Then "everything above the horizon" is
   * not all that is new, and `after` must answer `gap`.
   */
  pastChanged(session: Session, circle: Circle): boolean
}

/** @param imports rises with each import, which may bring posts from before any session */
export function createSessions(horizon: Horizon, reveals: Reveals, imports: () => number): Sessions {
  return {
    begin: (circle) => ({
      horizon: horizon.claimable(),
      changeId: circle.changeId,
      past: imports(),
      served: [],
      overflow: false,
    }),
    pastChanged: (session, circle) =>
      session.overflow ||
      session.past !== imports() ||
      session.changeId !== circle.changeId ||
      reveals.since(session.horizon, (author) => author === circle.number || follows(circle, author)),
  }
}
