/**
 * What a follower holds of the partitions that other processes own: events that wait for word that their rows stand.
 * When too many wait, those of the partition that is furthest behind are let go; the partition is then blind up to
 * there, and caches are read again once its owner has passed that position.
 */

import type { Event } from '../events.ts'
import type { ToldDecision } from './decided.ts'
import type { LaneHorizon } from './progress.ts'

export interface FollowedLane {
  /** Events that wait for their owner, in log order. */
  events: Event[]
  readTo: number
  /** Events below it were let go, or are of a kind that this version does not know. 0 when nothing is missing. */
  blindTo: number
  /** How far the owner has projected, as far as it has told. */
  projected: number
  /** By position, decisions that the owner has told and whose events wait. */
  decisions: Map<number, ToldDecision>
  /** Horizons of further views, told with the progress that comes next. */
  horizons: readonly LaneHorizon[]
}

const WAITING_EVENTS_MAX = 50_000

export interface FollowedLanes {
  get(partition: number): FollowedLane | undefined
  /** @param position this process has applied everything of the partition below it */
  begin(partition: number, position: number): void
  delete(partition: number): void
  keep(lane: FollowedLane, event: Event): void
  /** Removes the events below `projected` from those that wait. */
  takeBelow(lane: FollowedLane, projected: number): Event[]
  /** Events that wait; about as many positions where some were let go. */
  lagEvents(): number
}

export function createFollowedLanes(): FollowedLanes {
  const lanes = new Map<number, FollowedLane>()
  let waiting = 0

  function letGo(): void {
    const [first, ...others] = lanes.values()
    const largest = others.reduce((a, b) => (b.events.length > a.events.length ? b : a), first)
    waiting -= largest.events.length
    largest.blindTo = largest.events[largest.events.length - 1].position + 1
    largest.events = []
    largest.decisions.clear()
  }

  return {
    get: (partition) => lanes.get(partition),
    begin: (partition, position) =>
      void lanes.set(partition, {
        events: [],
        readTo: position,
        blindTo: 0,
        projected: position,
        decisions: new Map(),
        horizons: [],
      }),
    delete(partition) {
      waiting -= lanes.get(partition)?.events.length ?? 0
      lanes.delete(partition)
    },
    keep(lane, event) {
      lane.events.push(event)
      if (++waiting > WAITING_EVENTS_MAX) letGo()
    },
    takeBelow(lane, projected) {
      let count = 0
      while (count < lane.events.length && lane.events[count].position < projected) count++
      waiting -= count
      return lane.events.splice(0, count)
    },
    lagEvents() {
      let events = waiting
      for (const { readTo, blindTo, projected } of lanes.values())
        if (blindTo > 0) events += readTo - projected
      return events
    },
  }
}

/** Everything of the lane below `position` has been read, and nothing of it waits. */
export function hasApplied(lane: FollowedLane, position: number): boolean {
  if (lane.readTo < position || lane.blindTo > 0) return false
  return lane.events.length === 0 || lane.events[0].position >= position
}
