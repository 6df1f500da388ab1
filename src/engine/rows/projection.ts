/** How events of one type become rows. */

import type { RowKey } from '../../ports/store/store.ts'
import type { Event, EventType } from '../events.ts'
import type { Rows } from './rows.ts'

export interface Projection<B> {
  readonly on: EventType<B>
  /** Rows that `apply` reads and that can be named from the event alone. */
  needs?(event: Event<B>): readonly RowKey[]
  /** Rows that can be named only once those of `needs` are loaded. */
  needsMore?(event: Event<B>, rows: Rows): readonly RowKey[]
  /** Pure but for `rows` and `effects`: a function of the event and of rows of the event's own key. */
  apply(event: Event<B>, rows: Rows, effects: Effects): void
}

export interface Effects {
  /**
   * Appends an event of another key to the log before this batch counts as projected. After a crash it may be
   * appended a second time.
   */
  derive<B>(type: EventType<B>, key: number, body: B): void
}

/** Gives a projection its types. */
export const projection = <B>(definition: Projection<B>): Projection<B> => definition
