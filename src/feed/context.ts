/** The engine as the feed sees it: with the view of timelines at hand. */

import type { EngineContext } from '../engine/context.ts'
import type { Horizon } from '../engine/horizon/horizon.ts'
import { LIMITS } from '../core/limits.ts'
import type { Views, ViewSpec } from '../ports/views/views.ts'

/** The view of timelines: the newest posts of those whom an account follows. */
export const homeView: ViewSpec = { name: 'home', capacity: LIMITS.timelineEntriesMax, keep: 'all' }

export interface FeedContext extends EngineContext {
  /** The timelines. */
  readonly views: Views
  /** How far fan-out into the timelines has come. */
  readonly horizon: Horizon
}

export function feedContext(context: EngineContext): FeedContext {
  const { entries, horizon } = context.view(homeView)
  return { ...context, views: entries, horizon }
}
