/**
 * The horizon: up to this id, every event has had all its effects on the views (pushed, or marked as pulled).
 * Views know it by lane: one lane for everything where one process does all (horizon-alone.ts), one for each
 * partition of the log where several share the work (horizon-shared.ts).
 */

import type { ViewHeader } from '../../ports/views/views.ts'

export interface Horizon {
  /** By lane, what the views have been told last: an intact view stands there or above. Another array after each change. */
  readonly published: Float64Array
  /** What a page may claim: of what is done, views that lose it now must show that they did. */
  claimable(): number
  /** Work for this event, of this key, goes on in the background and holds the horizon below it. */
  opened(id: number, key: number): void
  closed(id: number, key: number): void
}

/** A timeline lost entries of one lane at least: what was published of that stands higher. */
export function isBehind({ horizons }: ViewHeader, published: Float64Array): boolean {
  for (let lane = 0; lane < horizons.length; lane++) if (horizons[lane] < published[lane]) return true
  return false
}
