/**
 * Runs a reactor that holds only the log. It gets events from a queue in memory; when that is full, the reactor
 * misses batches, and reads them again from the log once it has worked off the queue. So it never slows the
 * projection, however far it falls behind.
 */

import { LIMITS } from '../../core/limits.ts'
import type { Log, LogFollower } from '../../ports/log/log.ts'
import type { Reactor } from '../domain.ts'
import type { Event } from '../events.ts'
import type { Projected } from './projected.ts'
import type { React } from './react.ts'
import { createReactorQueue, type Job, type ReactorLane, type ReactorQueue } from './reactor-queue.ts'
import type { Reread } from './reread.ts'

export interface LogReactor {
  readonly reactor: Reactor
  /** @param position everything below it has been reacted to before */
  begin(partition: number, position: number): void
  put(projected: Projected): void
  /** The partitions that it has begun may hold events that it missed. */
  look(): void
  drop(partitions: ReadonlySet<number>): void
  /** Everything of the partition below this position has been reacted to. */
  doneTo(partition: number): number
  /** About as many events are projected and not yet reacted to. */
  lagEvents(): number
  run(): Promise<void>
  end(): Promise<void>
}

export interface LogReactorOptions {
  readonly reactor: Reactor
  /** Of a batch, the events that it takes. */
  readonly pick: (events: readonly Event[]) => readonly Event[]
  readonly log: Log
  readonly react: React
  /** Makes events again of records that the reactor has missed. */
  readonly reread: Reread
  readonly projectedTo: (partition: number) => number
  readonly onDone: () => void
  /** Retention removed records of this partition before the reactor had read them. */
  readonly onMissed: (reactor: Reactor, partition: number, from: number, to: number) => void
}

export function createLogReactor(options: LogReactorOptions): LogReactor {
  const { reactor, react, pick, projectedTo } = options
  const queue = createReactorQueue(pick)
  const missed = createMissedReader(options, queue)
  let isOver = false
  let wake = () => {}

  async function nextJob(): Promise<Job | undefined> {
    for (;;) {
      if (isOver) return undefined
      const job = queue.take()
      if (job !== undefined) return job
      if (!(await missed.read())) await new Promise<void>((resolve) => (wake = resolve))
    }
  }

  return {
    reactor,
    begin: queue.begin,
    put(projected) {
      queue.put(projected)
      wake()
    },
    look: () => wake(),
    drop: queue.drop,
    doneTo: (partition) => queue.lane(partition)?.position ?? 0,
    lagEvents() {
      let events = 0
      for (const lane of queue.lanes()) events += Math.max(0, projectedTo(lane.partition) - lane.position)
      return events
    },
    async run() {
      for (;;) {
        const job = await nextJob()
        if (job === undefined) return
        await react(reactor, job.events)
        queue.done(job)
        options.onDone()
      }
    },
    async end() {
      isOver = true
      wake()
      await missed.close()
    },
  }
}

/** Reads from the log what the queue had no room for, one partition after the other. */
function createMissedReader(options: LogReactorOptions, queue: ReactorQueue) {
  const { reactor, log, projectedTo } = options
  let follower: LogFollower | undefined
  let followed: ReactorLane | undefined
  const isBehind = (lane: ReactorLane): boolean => lane.queuedTo < projectedTo(lane.partition)

  /** @returns whether there is more to read of the partition from where the follower is */
  async function readBatch(lane: ReactorLane, from: LogFollower): Promise<boolean> {
    const batch = await from.next(LIMITS.workerBatchEvents)
    if (batch === undefined || batch.partition !== lane.partition) return true
    const end = projectedTo(lane.partition)
    const events = await options.reread(batch, end)
    // This process may have lost the partition meanwhile.
    if (queue.lane(lane.partition) !== lane) return false
    if (batch.from > lane.queuedTo) options.onMissed(reactor, lane.partition, lane.queuedTo, batch.from)
    queue.add(lane, Math.min(batch.next, end), events)
    return batch.next <= end && isBehind(lane)
  }

  return {
    /** @returns false when there is nothing to read */
    async read(): Promise<boolean> {
      const lane = followed ?? [...queue.lanes()].find(isBehind)
      if (lane === undefined) return false
      follower ??= await log.follow()
      if (followed === undefined) await follower.seek(lane.partition, lane.queuedTo)
      followed = lane
      if (!(await readBatch(lane, follower))) {
        followed = undefined
        follower.leave(lane.partition)
      }
      return true
    },
    close: async () => follower?.close(),
  }
}
