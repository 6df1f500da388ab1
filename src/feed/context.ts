/** The engine as the feed sees it: with the view of timelines at hand. */

import type { EngineContext } from '../engine/context.ts'
import type { Event } from '../engine/events.ts'
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
  /** Writes the horizon of this process to the timelines now. */
  publishHorizon(): Promise<void>
  /**
   * The event is replayed while timelines of an earlier process live on. That process may have decided otherwise how
   * the event travels, and a crash may have lost the rows that say so.
   */
  mayHaveBeenOtherwise(event: Event): boolean
}

export function feedContext(context: EngineContext): FeedContext {
  const { entries, horizon, publish, survived } = context.view(homeView)
  return {
    ...context,
    views: entries,
    horizon,
    publishHorizon: publish,
    mayHaveBeenOtherwise: (event) => survived(event.partition) && context.isReplayed(event),
  }
}
