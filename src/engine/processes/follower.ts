/**
 * Reads the partitions that other processes own, and brings this one's caches up to date with what those have
 * projected. Events wait in memory until the owner says that their rows stand; should too many wait, they are let
 * go, and once the owner has passed them everything that is cached is read anew.
 */

import { isRivuletError } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import type { LogBatch, LogFollower } from '../../ports/log/log.ts'
import type { Event, EventDecoder } from '../events.ts'
import { isProgress, type LaneProgress, type Progress } from './progress.ts'

export interface FollowerOptions {
  readonly follower: LogFollower
  readonly epoch: number
  readonly decode: EventDecoder
  /** Each event as it is read. */
  readonly onRead: (event: Event) => void
  /** Rows of these stand, and they come after all that was applied before. */
  readonly apply: (partition: number, events: readonly Event[], next: number) => void
  /** After `apply` of everything that it speaks of. */
  readonly onProgress: (progress: LaneProgress) => void
  /** It was not taken in; before `apply` of what comes after it. */
  readonly onSkipped: (partition: number, position: number) => void
  /** Ids to come are above it. */
  readonly onTime: (now: number) => void
  /** Some were let go: whatever is cached may be old. */
  readonly forget: () => Promise<void>
  readonly onFatal: (error: unknown) => void
}

export interface Follower {
  start(): void
  /** From where this process has applied everything. */
  follow(partition: number, position: number): Promise<void>
  leave(partition: number): void
  /** Everything of the partition below `position` has been read, and nothing of it waits for its owner. */
  hasApplied(partition: number, position: number): boolean
  /** Events that wait for their owners; about as many positions where some were let go. */
  lagEvents(): number
  stop(): Promise<void>
}

const WAITING_EVENTS_MAX = 50_000

interface Lane {
  events: Event[]
  readTo: number
  /** Events below it were let go, or are of a kind that is not known here. */
  blindTo: number
  /** By its owner. */
  projected: number
}

export function createFollower(options: FollowerOptions): Follower {
  const { follower, decode, epoch, onRead, onFatal } = options
  const lanes = new Map<number, Lane>()
  let waiting = 0
  let loop: Promise<void> = Promise.resolve()

  async function run(): Promise<void> {
    for (;;) {
      const batch = await follower.next(LIMITS.workerBatchEvents)
      if (batch === undefined) return
      const lane = lanes.get(batch.partition)
      if (lane !== undefined) await take(lane, batch)
    }
  }

  async function take(lane: Lane, { partition, from, positions, values, next }: LogBatch): Promise<void> {
    // Removed before it was read here.
    if (from > lane.readTo) lane.blindTo = from
    for (let i = 0; i < values.length; i++) {
      // The partition was left meanwhile, and perhaps taken up again from somewhere else.
      if (lanes.get(partition) !== lane) return
      const event = known(lane, values[i], partition, positions[i])
      if (event === undefined) continue
      if (isProgress(event)) await hear(partition, event.body)
      else {
        onRead(event)
        if (event.type.stands === true) options.apply(partition, [event], 0)
        else keep(lane, event)
      }
    }
    lane.readTo = Math.max(lane.readTo, next)
  }

  /**
   * What is no event is its owner's to put aside. Of an event that newer code has written nobody here knows what it
   * changed: whatever is cached is read anew after it.
   */
  function known(lane: Lane, value: Uint8Array, partition: number, position: number): Event | undefined {
    try {
      return decode(value, epoch, partition, position)
    } catch (error) {
      if (isRivuletError(error, 'data_newer_format')) lane.blindTo = position + 1
      else if (!isRivuletError(error, 'data_corrupt')) throw error
      return undefined
    }
  }

  function keep(lane: Lane, event: Event): void {
    lane.events.push(event)
    if (++waiting > WAITING_EVENTS_MAX) letGo()
  }

  /** Of the partition that is furthest behind: the others are not to suffer from it. */
  function letGo(): void {
    const [first, ...others] = lanes.values()
    const largest = others.reduce((a, b) => (b.events.length > a.events.length ? b : a), first)
    waiting -= largest.events.length
    largest.blindTo = largest.events[largest.events.length - 1].position + 1
    largest.events = []
  }

  async function hear(partition: number, { lanes: told, now }: Progress): Promise<void> {
    for (const progress of told) {
      const lane = lanes.get(progress.partition)
      if (lane === undefined) continue
      if (progress.partition === partition) await advance(lane, progress)
      // Told elsewhere, it says something here only once all that it speaks of is here: the next one comes soon.
      else if (hasApplied(lane, Math.max(progress.projected, progress.needs))) options.onProgress(progress)
    }
    options.onTime(now)
  }

  async function advance(lane: Lane, progress: LaneProgress): Promise<void> {
    const { partition, projected } = progress
    lane.projected = Math.max(lane.projected, projected)
    let count = 0
    while (count < lane.events.length && lane.events[count].position < projected) count++
    const ready = lane.events.splice(0, count).filter(({ position }) => !progress.skipped.includes(position))
    waiting -= count
    for (const position of progress.skipped) options.onSkipped(partition, position)
    if (lane.blindTo > 0) {
      // Until its owner is past what is missing here, nothing can be said of the partition.
      if (projected < lane.blindTo) return
      lane.blindTo = 0
      await options.forget()
    }
    if (lanes.get(partition) !== lane) return
    options.apply(partition, ready, projected)
    options.onProgress(progress)
  }

  function hasApplied(lane: Lane, position: number): boolean {
    if (lane.readTo < position || lane.blindTo > 0) return false
    return lane.events.length === 0 || lane.events[0].position >= position
  }

  return {
    start() {
      loop = run().catch(onFatal)
    },
    async follow(partition, position) {
      lanes.set(partition, { events: [], readTo: position, blindTo: 0, projected: position })
      await follower.seek(partition, position)
    },
    leave(partition) {
      follower.leave(partition)
      waiting -= lanes.get(partition)?.events.length ?? 0
      lanes.delete(partition)
    },
    hasApplied(partition, position) {
      const lane = lanes.get(partition)
      return lane !== undefined && hasApplied(lane, position)
    },
    lagEvents() {
      let events = waiting
      for (const { readTo, blindTo, projected } of lanes.values())
        if (blindTo > 0) events += readTo - projected
      return events
    },
    async stop() {
      await follower.close()
      await loop
    },
  }
}
