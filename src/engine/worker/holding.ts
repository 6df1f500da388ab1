/**
 * Runs a reactor that holds views: batch by batch in log order, behind a bounded queue for which the projection waits.
 */

import type { Reactor } from '../domain.ts'
import type { Event } from '../events.ts'
import { createHandover } from './handover.ts'
import type { Projected } from './projected.ts'
import type { React } from './react.ts'
import type { Advancing } from './trails.ts'

export interface HoldingReactor extends Advancing {
  readonly reactor: Reactor
  /** Events that wait or are being reacted to. */
  readonly events: number
  begin(partition: number, from: number): void
  put(projected: Projected): void
  room(): Promise<void>
  drop(partitions: ReadonlySet<number>): void
  end(): void
  /** Resolves once the queue has ended and is worked off. */
  run(): Promise<void>
}

export interface HoldingOptions {
  readonly reactor: Reactor
  /** Of a batch, the events that it takes. */
  readonly pick: (events: readonly Event[]) => readonly Event[]
  readonly partitions: number
  readonly react: React
  readonly isOwned: (partition: number) => boolean
  /** The reactor has moved on in these partitions. */
  readonly onDone: (partitions: readonly number[]) => Promise<void>
}

export function createHoldingReactor(options: HoldingOptions): HoldingReactor {
  const { reactor, pick, react, isOwned, onDone } = options
  const handover = createHandover()
  const doneTo = new Array<number>(options.partitions).fill(0)

  async function work(taken: readonly Projected[]): Promise<void> {
    const events = taken.length === 1 ? taken[0].events : taken.flatMap((one) => one.events)
    await react(reactor, events)
    handover.done(taken)
    const moved: number[] = []
    for (const { partition, from, next } of taken) {
      // A partition that was lost meanwhile, and perhaps regained, has begun anew: this batch says nothing of it.
      if (!isOwned(partition) || from > doneTo[partition]) continue
      doneTo[partition] = Math.max(doneTo[partition], next)
      moved.push(partition)
    }
    await onDone(moved)
  }

  return {
    reactor,
    get events() {
      return handover.events
    },
    doneTo: (partition) => doneTo[partition],
    begin: (partition, from) => void (doneTo[partition] = from),
    put(projected) {
      const events = pick(projected.events)
      handover.put(events === projected.events ? projected : { ...projected, events })
    },
    room: handover.room,
    drop: handover.drop,
    end: handover.end,
    async run() {
      for (;;) {
        const taken = await handover.take()
        if (taken === undefined) return
        await work(taken)
      }
    },
  }
}
