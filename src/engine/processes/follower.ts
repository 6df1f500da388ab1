/**
 * Reads the partitions that other processes own, and brings this process's caches up to date with what their owners
 * have projected: events wait in memory (`follower-lanes.ts`) until the owner tells that their rows stand.
 */

import { isRivuletError } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import type { LogBatch, LogFollower } from '../../ports/log/log.ts'
import type { Event, EventDecoder, EventType } from '../events.ts'
import { createFollowedLanes, hasApplied, type FollowedLane, type FollowedLanes } from './follower-lanes.ts'
import { readDecision } from './decided.ts'
import { isProgress, type LaneHorizon, type LaneProgress, type Progress } from './progress.ts'

export interface FollowerOptions {
  readonly follower: LogFollower
  readonly epoch: number
  readonly decode: EventDecoder
  /** Called with each event as it is read. */
  readonly onRead: (event: Event) => void
  /** Rows of these events stand. They come in log order, partition by partition. */
  readonly apply: (partition: number, events: readonly Event[], next: number) => void
  /** Called after `apply` of everything that the record speaks of. */
  readonly onProgress: (progress: LaneProgress, horizons: readonly LaneHorizon[]) => void
  /** The owner passed over this event; called before `apply` of later ones. */
  readonly onSkipped: (partition: number, position: number) => void
  /** Ids to come are above this one. */
  readonly onTime: (now: number) => void
  /** Notes on each event what was decided on it, where the owner has not told. */
  readonly recall: (events: readonly Event[]) => Promise<void>
  /** Some events were let go: caches may be out of date. */
  readonly forget: (domains: ReadonlySet<string> | 'all') => Promise<void>
  readonly domainOf: (type: EventType<any>) => string
  /** A cache of this process needs events of this type, or somebody here may wait for what is decided on them. */
  readonly isNeeded: (type: EventType<any>) => boolean
  readonly onFatal: (error: unknown) => void
}

export interface Follower {
  start(): void
  /** @param position this process has applied everything of the partition below it */
  follow(partition: number, position: number): Promise<void>
  leave(partition: number): void
  /** Everything of the partition below `position` has been read, and nothing of it waits for its owner. */
  hasApplied(partition: number, position: number): boolean
  /** Events that wait for their owners, of a domain or of all; about as many positions where some were let go. */
  lagEvents(domain?: string): number
  stop(): Promise<void>
}

export function createFollower(options: FollowerOptions): Follower {
  const { follower, onFatal } = options
  const lanes = createFollowedLanes(options.domainOf)
  const hear = createHearing(options, lanes)
  const take = createTaking(options, lanes, hear)
  let loop: Promise<void> = Promise.resolve()

  async function run(): Promise<void> {
    for (;;) {
      const batch = await follower.next(LIMITS.workerBatchEvents)
      if (batch === undefined) return
      const lane = lanes.get(batch.partition)
      if (lane !== undefined) await take(lane, batch)
    }
  }

  return {
    start() {
      loop = run().catch(onFatal)
    },
    async follow(partition, position) {
      lanes.begin(partition, position)
      await follower.seek(partition, position)
    },
    leave(partition) {
      follower.leave(partition)
      lanes.delete(partition)
    },
    hasApplied(partition, position) {
      const lane = lanes.get(partition)
      return lane !== undefined && hasApplied(lane, position)
    },
    lagEvents: lanes.lagEvents,
    async stop() {
      await follower.close()
      await loop
    },
  }
}

/** No cache needs the event: only its place matters. */
function passBy(lane: FollowedLane, position: number): void {
  lane.unheldFrom = Math.min(lane.unheldFrom, position)
  lane.unheldLast = position
}

/** Nobody here knows what is missing below this position. */
function miss(lane: FollowedLane, blindTo: number): void {
  lane.blindTo = blindTo
  lane.forgotten = 'all'
}

/** Takes in a batch of records. */
function createTaking(
  { decode, epoch, onRead, apply, isNeeded }: FollowerOptions,
  lanes: FollowedLanes,
  hear: (partition: number, progress: Progress) => Promise<void>,
) {
  /**
   * Bytes that are no event are for the owner to bury. Nobody here knows what an event of a newer version has changed:
   * caches are read again after it.
   */
  function known(
    lane: FollowedLane,
    value: Uint8Array,
    partition: number,
    position: number,
  ): Event | undefined {
    try {
      return decode(value, epoch, partition, position)
    } catch (error) {
      if (isRivuletError(error, 'data_newer_format')) miss(lane, position + 1)
      else if (!isRivuletError(error, 'data_corrupt')) throw error
      return undefined
    }
  }

  return async (
    lane: FollowedLane,
    { partition, from, positions, values, next }: LogBatch,
  ): Promise<void> => {
    // Retention has removed records before they were read here.
    if (from > lane.readTo) miss(lane, from)
    for (let i = 0; i < values.length; i++) {
      // The partition was left meanwhile, and perhaps taken up again from somewhere else.
      if (lanes.get(partition) !== lane) return
      const event = known(lane, values[i], partition, positions[i])
      if (event === undefined) continue
      if (isProgress(event)) await hear(partition, event.body)
      else {
        onRead(event)
        if (event.type.isNotice === true) apply(partition, [event], 0)
        else if (isNeeded(event.type)) lanes.keep(lane, event)
        else passBy(lane, event.position)
      }
    }
    lane.readTo = Math.max(lane.readTo, next)
  }
}

/** Takes in a record of progress that stands in this partition; it may speak of others, too. */
function createHearing(options: FollowerOptions, lanes: FollowedLanes) {
  async function advance(
    lane: FollowedLane,
    progress: LaneProgress,
    horizons: readonly LaneHorizon[],
  ): Promise<void> {
    const { partition, projected } = progress
    lane.projected = Math.max(lane.projected, projected)
    if (lane.unheldLast < projected) lane.unheldFrom = Infinity
    else if (lane.unheldFrom < projected) lane.unheldFrom = projected
    for (const position of progress.skipped) options.onSkipped(partition, position)
    lanes.remove(lane, progress.skipped)
    // Until its owner is past what is missing here, nothing can be said of the partition.
    if (projected < lane.blindTo) return
    const ready = lanes.takeBelow(lane, projected)
    if (lane.blindTo > 0) {
      lane.blindTo = 0
      const { forgotten } = lane
      lane.forgotten = new Set()
      await options.forget(forgotten)
    }
    await decide(lane, ready)
    for (const position of lane.decisions.keys()) if (position < projected) lane.decisions.delete(position)
    if (lanes.get(partition) !== lane) return
    options.apply(partition, ready, projected)
    options.onProgress(progress, horizons)
  }

  async function decide(lane: FollowedLane, events: readonly Event[]): Promise<void> {
    const due = events.filter(({ type }) => type.decision !== undefined)
    for (const event of due) {
      const told = lane.decisions.get(event.position)
      if (told !== undefined) event.decision = readDecision(event, told)
    }
    if (due.some(({ decision }) => decision === undefined)) await options.recall(due)
  }

  return async (partition: number, progress: Progress): Promise<void> => {
    const { lanes: told, now, horizons, decisions } = progress
    const here = lanes.get(partition)
    for (const decision of decisions) here?.decisions.set(decision.position, decision)
    for (const progress of told) {
      const lane = lanes.get(progress.partition)
      if (lane === undefined) continue
      const own = horizons.filter((one) => one.partition === progress.partition)
      if (progress.partition === partition) await advance(lane, progress, own)
      // A record in another partition says something only once all that it speaks of has been read; the next one
      // comes soon.
      else if (hasApplied(lane, Math.max(progress.projected, progress.needs)))
        options.onProgress(progress, own)
    }
    options.onTime(now)
  }
}
