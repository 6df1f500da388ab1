/**
 * The horizon: up to this id, every event has had all its effects on the views (pushed, or marked as pulled).
 * It is the oldest unfinished event less one; with nothing unfinished it moves with the clock, because every
 * id to come will be above it.
 */

import type { IdSource } from '../core/ids.ts'

export interface Horizon {
  current(): number
  /** Events given an id whose effects are still to come, wherever they are on their way. */
  readonly unfinished: number
  /** What the views have been told last: an intact view's header stands at it or above. */
  published: number
  /** An event was given an id and is on its way into the log. */
  stamped(id: number): void
  /** It never entered the log. */
  withdrawn(id: number): void
  /** Its reactions are done, except for what is still `opened`. */
  done(id: number): void
  /** Work for this event goes on in the background and holds the horizon below it. */
  opened(id: number): void
  closed(id: number): void
}

export function createHorizon(ids: IdSource): Horizon {
  /** In the order in which ids were given out: the first is the oldest. */
  const pending = new Set<number>()
  const open = new Set<number>()
  let oldestOpen = Infinity

  function finished(): number {
    for (const oldest of pending) return oldest - 1
    return ids.fence()
  }

  return {
    published: 0,
    get unfinished() {
      return pending.size
    },
    current: () => Math.min(finished(), oldestOpen - 1),
    stamped(id) {
      pending.add(id)
    },
    withdrawn(id) {
      pending.delete(id)
    },
    done(id) {
      pending.delete(id)
    },
    opened(id) {
      open.add(id)
      if (id < oldestOpen) oldestOpen = id
    },
    closed(id) {
      open.delete(id)
      if (id !== oldestOpen) return
      oldestOpen = Infinity
      for (const other of open) if (other < oldestOpen) oldestOpen = other
    },
  }
}
