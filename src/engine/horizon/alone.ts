/**
 * The horizon of a process that does everything: the oldest unfinished event less one. With nothing unfinished it
 * moves with the clock, because every id to come will be above it.
 */

import type { IdSource } from '../../core/ids.ts'
import type { Horizon } from './horizon.ts'

export interface HorizonAlone extends Horizon {
  /** How far it is, whether the views have been told or not. */
  current(): number
  /** Events given an id whose effects are still to come, wherever they are on their way. */
  readonly unfinished: number
  /** Tells the views how far it is. */
  publish(tell: (id: number) => Promise<void>): Promise<void>
  /** An event was given an id and is on its way into the log. */
  stamped(id: number): void
  /** It never entered the log. */
  withdrawn(id: number): void
  /** Its reactions are done, except for what is still `opened`. */
  done(id: number): void
}

export function createHorizonAlone(ids: IdSource, lanes: number): HorizonAlone {
  /** In the order in which ids were given out: the first is the oldest. */
  const pending = new Set<number>()
  const open = new Set<number>()
  let oldestOpen = Infinity
  let published = 0
  let publishedLanes = new Float64Array(lanes)
  /** Done, and not told yet: their effects could still be lost unseen. */
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
