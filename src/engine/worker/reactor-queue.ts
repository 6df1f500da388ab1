/** The bounded queue of a reactor that holds only the log. A batch for which there is no room is left out. */

import { LIMITS } from '../../core/limits.ts'
import type { Event } from '../events.ts'
import type { Projected } from './projected.ts'

/** How far a reactor is with one partition. */
export interface ReactorLane {
  readonly partition: number
  /** Everything below is reacted to. */
  position: number
  /** Everything below is reacted to, being reacted to, or in the queue. */
  queuedTo: number
}

export interface Job {
  readonly lane: ReactorLane
  readonly next: number
  readonly events: readonly Event[]
}

export interface ReactorQueue {
  lane(partition: number): ReactorLane | undefined
  lanes(): Iterable<ReactorLane>
  /** @param position everything below it has been reacted to before */
  begin(partition: number, position: number): void
  /** Leaves the batch out when it does not continue the lane or the queue is full: the lane is then behind. */
  put(projected: Projected): void
  /** Adds events that were read again, whether or not there is room: the queue is empty then. */
  add(lane: ReactorLane, next: number, events: readonly Event[]): void
  take(): Job | undefined
  done(job: Job): void
  drop(partitions: ReadonlySet<number>): void
}

const EVENTS_MAX = 8 * LIMITS.workerBatchEvents

/** @param pick of a batch, the events that the reactor takes */
export function createReactorQueue(pick: (events: readonly Event[]) => readonly Event[]): ReactorQueue {
  const lanes = new Map<number, ReactorLane>()
  let jobs: Job[] = []
  let queuedEvents = 0

  /** Without events that the reactor had before. */
  const ownOf = (lane: ReactorLane, events: readonly Event[]): readonly Event[] =>
    pick(
      events.length > 0 && events[0].position < lane.queuedTo
        ? events.filter(({ position }) => position >= lane.queuedTo)
        : events,
    )

  function enqueue(lane: ReactorLane, next: number, events: readonly Event[]): void {
    const isIdle = lane.position === lane.queuedTo
    lane.queuedTo = next
    if (events.length === 0 && isIdle) lane.position = next
    else {
      jobs.push({ lane, next, events })
      queuedEvents += events.length
    }
  }

  return {
    lane: (partition) => lanes.get(partition),
    lanes: () => lanes.values(),
    begin: (partition, position) => void lanes.set(partition, { partition, position, queuedTo: position }),
    put({ partition, from, next, events }) {
      const lane = lanes.get(partition)
      if (lane === undefined || from > lane.queuedTo || next <= lane.queuedTo) return
      const own = ownOf(lane, events)
      if (own.length === 0 || queuedEvents + own.length <= EVENTS_MAX) enqueue(lane, next, own)
    },
    add(lane, next, events) {
      if (next > lane.queuedTo) enqueue(lane, next, ownOf(lane, events))
    },
    take: () => jobs.shift(),
    done({ lane, next, events }) {
      queuedEvents -= events.length
      lane.position = Math.max(lane.position, next)
    },
    drop(partitions) {
      for (const partition of partitions) lanes.delete(partition)
      const isDropped = ({ lane }: Job) => partitions.has(lane.partition)
      for (const { events } of jobs.filter(isDropped)) queuedEvents -= events.length
      jobs = jobs.filter((job) => !isDropped(job))
    },
  }
}
