/** How events of one type become rows. */

import type { RowKey } from '../../ports/store/store.ts'
import type { Decision, Event, EventType } from '../events.ts'
import type { Rows } from './rows.ts'

export interface Projection<B> {
  readonly on: EventType<B>
  /** Rows that `apply` reads and that can be named from the event alone. */
  needs?(event: Event<B>): readonly RowKey[]
  /** Rows that can be named only once those of `needs` are loaded. */
  needsMore?(event: Event<B>, rows: Rows): readonly RowKey[]
  /** Pure but for `rows` and `effects`: a function of the event and of rows of the event's own key. */
  apply(event: Event<B>, rows: Rows, effects: Effects): void
  /** Set where the event's type has a decision: see `order.ts`, which makes such projections. */
  readonly decides?: Deciding<B>
}

/** A projection whose result is an answer, the same whenever and wherever the event is applied again. */
export interface Deciding<B> {
  /** Throws `unavailable` when the rows of `needs` and `needsMore` are of different moments. */
  check(event: Event<B>, rows: Rows): void
  /** @param refusal set when the event's rows could not be written: it must then be refused for this reason */
  decide(event: Event<B>, rows: Rows, effects: EffectsLog, refusal?: string): Decision
  /** The row from which an earlier decision is known. */
  outcomeKey(event: Event<B>): RowKey
  /** @param rows in which the row of `outcomeKey` is loaded */
  recall(event: Event<B>, rows: Rows): Decision
}

export interface Effects {
  /**
   * Appends an event of another key to the log before this batch counts as projected. After a crash it may be
   * appended a second time.
   */
  derive<B>(type: EventType<B>, key: number, body: B): void
  /**
   * Appends an event of the same key at `dueMs` or later, exactly once in effect. The same id replaces an earlier timer
   * of the key; a due time of 0 cancels it. Times are log time: the timer fires once ids are stamped that are as late.
   * @param dueMs Unix time; not before the event itself, and at most ten years after it
   * @param id 1 to 200 characters
   * @param body at most 64 KiB when encoded
   */
  schedule<B>(id: string, dueMs: number, type: EventType<B>, body: B): void
  /** Publishes to a topic of the bus once the rows stand: at most once, and in this order for a topic. */
  signal(topic: string, message: Uint8Array): void
}

/** Effects of a batch as they gather. */
export interface EffectsLog extends Effects {
  /** Runs a task and keeps its effects only if it returns. */
  attempt<T>(task: () => T): T
  /** A decision was refused because of this error, which is a fault of the domain. */
  fault(error: unknown): void
}

/** Gives a projection its types. */
export const projection = <B>(definition: Projection<B>): Projection<B> => definition
