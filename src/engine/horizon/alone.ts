/**
 * The horizon where one process does all the work: one below the id of the oldest unfinished event. When no event is
 * unfinished, the horizon moves with the clock, because every later id is above it.
 */

import type { IdSource } from '../../core/ids.ts'
import type { Horizon } from './horizon.ts'

export interface HorizonAlone extends Horizon {
  /** The horizon now, which may be higher than the one that the views were told. */
  current(): number
  /** Number of events that have an id and that reactors have not handled yet, including those on their way into the log. */
  readonly unfinished: number
  /** Calls `tell` with the current horizon, unless it has not risen since the last call. */
  publish(tell: (id: number) => Promise<void>): Promise<void>
  /** An event was given an id and is on its way into the log. */
  stamped(id: number): void
  /** The event never entered the log. */
  withdrawn(id: number): void
  /** The reactors have handled the event. Background work for it may go on until it is `closed`. */
  done(id: number): void
}

export function createHorizonAlone(ids: IdSource, lanes: number): HorizonAlone {
  /** In the order in which ids were given out: the first is the oldest. */
  const pending = new Set<number>()
  const open = new Set<number>()
  let oldestOpen = Infinity
  let published = 0
  let publishedLanes = new Float64Array(lanes)
  /** Events that are done, but above the published horizon: if views lose their entries now, no reader can tell. */
  let untold: number[] = []
  let oldestUntold = Infinity

  function finished(): number {
    for (const oldest of pending) return oldest - 1
    return ids.fence()
  }

  const current = () => Math.min(finished(), oldestOpen - 1)
  function ended(id: number): void {
    untold.push(id)
    if (id < oldestUntold) oldestUntold = id
  }

  return {
    get published() {
      return publishedLanes
    },
    claimable: () => Math.min(current(), oldestUntold - 1),
    async publish(tell) {
      const id = current()
      if (id <= published) return
      await tell(id)
      published = Math.max(id, published)
      publishedLanes = new Float64Array(lanes).fill(published)
      untold = untold.filter((one) => one > id)
      oldestUntold = Infinity
      for (const one of untold) if (one < oldestUntold) oldestUntold = one
    },
    get unfinished() {
      return pending.size
    },
    current,
    stamped(id) {
      pending.add(id)
    },
    withdrawn(id) {
      pending.delete(id)
    },
    done(id) {
      if (pending.delete(id)) ended(id)
    },
    opened(id) {
      open.add(id)
      if (id < oldestOpen) oldestOpen = id
    },
    closed(id) {
      if (open.delete(id)) ended(id)
      if (id !== oldestOpen) return
      oldestOpen = Infinity
      for (const other of open) if (other < oldestOpen) oldestOpen = other
    },
  }
}
