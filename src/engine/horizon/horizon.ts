/**
 * The horizon: up to this id, every event has had all its effects on the views (pushed, or marked as pulled). Views
 * store it for each lane, and there is one lane for each partition of the log. Where one process does all the work, all
 * lanes have the same horizon (`alone.ts`); where several share it, each partition's owner moves its own (`shared.ts`).
 */

import type { ViewHeader } from '../../ports/views/views.ts'

export interface Horizon {
  /**
   * By lane, the horizon last written to the views. A view whose header is below it has lost entries. Each change makes
   * a new array, so that a reader can keep the one that it began with.
   */
  readonly published: Float64Array
  /**
   * The highest id up to which a page may call itself complete. It leaves out events that are done but above the
   * published horizon: if views lost their entries, their headers would not show it.
   */
  claimable(): number
  /** Background work begins for the event with this id and log key: until `closed`, the horizon stays below the id. */
  opened(id: number, key: number): void
  closed(id: number, key: number): void
}

/** Whether the timeline has lost entries: in at least one lane its header is below the published horizon. */
export function isBehind({ horizons }: ViewHeader, published: Float64Array): boolean {
  for (let lane = 0; lane < horizons.length; lane++) if (horizons[lane] < published[lane]) return true
  return false
}
