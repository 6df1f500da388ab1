/**
 * What a domain brings to the engine: its events, how they become rows, and what follows once the rows
 * stand. A domain never talks to another one but through its index or through an event.
 */

import type { RowKey } from '../ports/store/store.ts'
import type { Event, EventType } from './events.ts'
import type { Rows } from './rows/rows.ts'

export interface Projection<B> {
  readonly on: EventType<B>
  /** Rows that `apply` reads; known from the event alone. */
  needs?(event: Event<B>): readonly RowKey[]
  /** Rows that can be named only once those of `needs` are there. */
  needsMore?(event: Event<B>, rows: Rows): readonly RowKey[]
  /** Pure but for `rows` and `effects`; a function of the event and of rows of the event's own key. */
  apply(event: Event<B>, rows: Rows, effects: Effects): void
}

export interface Effects {
  /** What another key must know: appended to the log before this batch is committed. May come again. */
  derive<B>(type: EventType<B>, key: number, body: B): void
}

export interface Domain {
  readonly name: string
  readonly events: readonly EventType<any>[]
  readonly projections: readonly Projection<any>[]
  /** The rows of these events are in the store: brings caches up to date, before any writer gets its answer. */
  projected?(events: readonly Event[]): void
  /** What follows: fan-out, backfill. In log order, after `projected`; its end commits the events. */
  react?(events: readonly Event[]): Promise<void>
  start?(): Promise<void>
  /** This process reacts in these partitions of the log from now on; before any event of them. */
  gained?(partitions: ReadonlySet<number>): Promise<void>
  /** Whatever is cached may be old: everything is read anew. */
  forget?(): Promise<void>
  stop?(): Promise<void>
}

export const projection = <B>(definition: Projection<B>): Projection<B> => definition

/** Narrows an event of a mixed batch to the type it is tested for. */
export const isEvent = <B>(event: Event, type: EventType<B>): event is Event<B> =>
  (event.type as unknown) === type
