/**
 * What a follower holds of the partitions that other processes own: events that wait for word that their rows stand.
 * When too many wait, those of the domain that has the most are let go, in the partition where it has the most; the
 * partition is then blind up to there, and caches of that domain are read again once its owner has passed the position.
 */

import type { Event, EventType } from '../events.ts'
import type { ToldDecision } from './decided.ts'

export interface FollowedLane {
  /** Events that wait for their owner, in log order. */
  events: Event[]
  readTo: number
  /** Of events that no cache needs, which are not held: the first that may not be projected. */
  unheldFrom: number
  /** The last of these that was read. */
  unheldLast: number
  /** Events below it were let go, or are of a kind that this version does not know. 0 when nothing is missing. */
  blindTo: number
  /** Domains of which events were let go; all of them where it is not known what was missed. */
  forgotten: Set<string> | 'all'
  /** How far the owner has projected, as far as it has told. */
  projected: number
  /** By position, decisions that the owner has told and whose events wait. */
  decisions: Map<number, ToldDecision>
}

const WAITING_EVENTS_MAX = 50_000

export interface FollowedLanes {
  get(partition: number): FollowedLane | undefined
  /** @param position this process has applied everything of the partition below it */
  begin(partition: number, position: number): void
  delete(partition: number): void
  keep(lane: FollowedLane, event: Event): void
  /** Removes the events at these positions, which have no effect. */
  remove(lane: FollowedLane, positions: readonly number[]): void
  /** Removes the events below `projected` from those that wait. */
  takeBelow(lane: FollowedLane, projected: number): Event[]
  /** Events that wait, of a domain or of all; about as many positions where some were let go. */
  lagEvents(domain?: string): number
}

export function createFollowedLanes(domainOf: (type: EventType<any>) => string): FollowedLanes {
  const lanes = new Map<number, FollowedLane>()
  const waiting = createCounts()
  const isOf = (domain: string) => (event: Event) => domainOf(event.type) === domain
  const countOf = (lane: FollowedLane, domain: string) => lane.events.filter(isOf(domain)).length
  const removed = (events: readonly Event[]) => {
    for (const { type } of events) waiting.add(domainOf(type), -1)
  }

  function letGo(): void {
    const domain = waiting.largest()
    const [first, ...others] = lanes.values()
    const largest = others.reduce((a, b) => (countOf(b, domain) > countOf(a, domain) ? b : a), first)
    const own = largest.events.filter(isOf(domain))
    removed(own)
    largest.blindTo = Math.max(largest.blindTo, own[own.length - 1].position + 1)
    largest.events = largest.events.filter((event) => domainOf(event.type) !== domain)
    if (largest.forgotten !== 'all') largest.forgotten.add(domain)
  }

  return {
    get: (partition) => lanes.get(partition),
    begin: (partition, position) => void lanes.set(partition, newLane(position)),
    delete(partition) {
      removed(lanes.get(partition)?.events ?? [])
      lanes.delete(partition)
    },
    keep(lane, event) {
      lane.events.push(event)
      waiting.add(domainOf(event.type), 1)
      if (waiting.total() > WAITING_EVENTS_MAX) letGo()
    },
    remove(lane, positions) {
      if (positions.length === 0) return
      const isGone = ({ position }: Event) => positions.includes(position)
      removed(lane.events.filter(isGone))
      lane.events = lane.events.filter((event) => !isGone(event))
    },
    takeBelow(lane, projected) {
      let count = 0
      while (count < lane.events.length && lane.events[count].position < projected) count++
      const taken = lane.events.splice(0, count)
      removed(taken)
      return taken
    },
    lagEvents(domain) {
      let events = domain === undefined ? waiting.total() : waiting.of(domain)
      for (const { readTo, blindTo, projected, forgotten } of lanes.values()) {
        const isMeant = domain === undefined || forgotten === 'all' || forgotten.has(domain)
        if (blindTo > 0 && isMeant) events += readTo - projected
      }
      return events
    },
  }
}

const newLane = (position: number): FollowedLane => ({
  events: [],
  readTo: position,
  unheldFrom: Infinity,
  unheldLast: -1,
  blindTo: 0,
  forgotten: new Set(),
  projected: position,
  decisions: new Map(),
})

/** How many events of each domain wait. */
function createCounts() {
  const counts = new Map<string, number>()
  let total = 0
  return {
    add(domain: string, change: number): void {
      counts.set(domain, (counts.get(domain) ?? 0) + change)
      total += change
    },
    of: (domain: string): number => counts.get(domain) ?? 0,
    total: (): number => total,
    largest: (): string => [...counts].reduce((a, b) => (b[1] > a[1] ? b : a))[0],
  }
}

/** Everything of the lane below `position` has been read, and nothing of it waits. */
export function hasApplied(lane: FollowedLane, position: number): boolean {
  if (lane.readTo < position || lane.blindTo > 0 || lane.unheldFrom < position) return false
  return lane.events.length === 0 || lane.events[0].position >= position
}
