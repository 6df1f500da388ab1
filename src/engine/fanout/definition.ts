/** What a domain says of a fan-out that it defines. */

import type { ViewSpec } from '../../ports/views/views.ts'
import type { Event, EventType } from '../events.ts'
import type { Audience } from './audience.ts'
import type { Lanes } from './lanes.ts'
import type { Marks, RaisedMark } from './marks.ts'
import type { FanoutTables } from './tables.ts'

export interface FanoutDefinition<B, F> {
  /** Of its reactor. Lower-case letters, digits and hyphens, at most 30. */
  readonly name: string
  /**
   * What is fanned out. The log key of these events is the key of the audience: the process that owns an event's
   * partition goes on with its plan after a crash, and knows from the plan alone that it is its own.
   */
  readonly on: EventType<B>
  /** An event that it does not concern goes to nobody, and has no receipt. */
  concerns?(event: Event<B>): boolean
  readonly audience: Audience
  readonly lanes: Lanes<NoInfer<B>, F>
  readonly tables: FanoutTables<F>
  /** The view that it fills: its horizon stays below an event until all members are served. */
  readonly view?: ViewSpec | undefined
  /** What `serve` must know of an event beside its id and key; 0 by default. A plan keeps it. */
  kindOf?(event: Event<B>): number
  /** Where it is left out, every event is pushed to all members. */
  readonly pull?: Pull
  /**
   * Serves members: writes view entries, or whatever the domain derives. Serving a member again must change nothing.
   * @returns how many effects it had, for the statistics
   */
  serve(pieces: readonly Piece[]): Promise<number>
  /** Members whom the lanes skip, before anyone behind them is served. */
  skip?(members: readonly number[]): Promise<void>
  /**
   * `kept`: every event has a receipt, as long as the store. `while open`: only plans have one, which expires with the
   * plan.
   */
  readonly receipts: 'kept' | 'while open'
  /** An audience of up to so many members is served with the batch of its event; `LIMITS.directFollowersMax` by default. */
  readonly directMax?: number
  readonly pace?: Pace
}

/** How members find what is not pushed to them. */
export interface Pull {
  /** To how many eighths of the audience an event is pushed; 0 to nobody, `SHARES` to everybody. */
  shareOf(key: number, size: number): number
  readonly marks: Marks
  /** A notice that tells other processes of marks: the `projected` of the domain lets its marks `learn` them. */
  readonly raised: EventType<{ raises: readonly RaisedMark[] }>
}

/** When chunks wait, so that a fan-out to millions leaves room for other events. */
export interface Pace {
  /** While more events than this wait, chunks do. */
  readonly lagEventsHigh: number
  /** By default, the events that wait for the reactors of this process. */
  lagEvents?(): number
  /** Chunks of this lane and of those behind it wait; the last lane by default. */
  readonly fromLane?: number
}

/** Some members and what they get. It has the shape of a view's `Spread`, so that a view may take it as it is. */
export interface Piece {
  /** The event's. */
  readonly id: number
  /** The key of the audience. */
  readonly ref: number
  readonly kind: number
  /** The members. */
  readonly owners: Uint32Array
}
