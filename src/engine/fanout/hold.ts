/** Holds the horizon of the view that a fan-out fills below events whose plans are open. Without a view it does nothing. */

import type { EngineContext } from '../context.ts'
import type { Event } from '../events.ts'
import type { ViewSpec } from '../../ports/views/views.ts'

export interface Hold {
  opened(id: number, key: number): void
  /** The event's plan has ended, or was never made. */
  closed(id: number, key: number): void
  /** Writes the horizon to the view now. */
  publish(): Promise<void>
  /**
   * The event is replayed while timelines of an earlier process live on. That process may have decided otherwise how
   * the event travels, and a crash may have lost the rows that say so.
   */
  mayHaveBeenOtherwise(event: Event): boolean
}

const NO_VIEW: Hold = {
  opened: () => undefined,
  closed: () => undefined,
  publish: async () => undefined,
  mayHaveBeenOtherwise: () => false,
}

export function createHold(context: EngineContext, spec: ViewSpec | undefined): Hold {
  if (spec === undefined) return NO_VIEW
  const { horizon, publish, survived } = context.view(spec)
  return {
    opened: horizon.opened,
    closed: horizon.closed,
    publish,
    mayHaveBeenOtherwise: (event) => survived(event.partition) && context.isReplayed(event),
  }
}
