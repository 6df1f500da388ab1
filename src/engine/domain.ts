/**
 * A domain is what one product brings to the engine: its events, how they become rows (projections), and what follows
 * once those rows stand (reactors). Its spec says what must be known before a process runs; `create` builds the rest.
 * Domains talk to each other through an `index.ts` or through events, never through each other's tables.
 */

import type { Table } from '../ports/store/store.ts'
import type { ViewSpec } from '../ports/views/views.ts'
import type { EngineContext } from './context.ts'
import type { Event, EventType } from './events.ts'
import type { Projection } from './rows/projection.ts'

export interface DomainSpec<A = unknown> {
  /** Lower-case letters, digits and hyphens, at most 30. */
  readonly name: string
  /** Its events have tags in this range, both ends included; no other domain's range overlaps it. */
  readonly tags: readonly [from: number, to: number]
  readonly events: readonly EventType<any>[]
  /** All that it writes. Commands that copy, create or check tables know them from here. */
  readonly tables: readonly Table[]
  /** Views that it fills. */
  readonly views?: readonly ViewSpec[]
  /** Commands and reads of the domain, and what the engine runs of it. */
  create(host: DomainHost): BuiltDomain<A>
}

export interface DomainHost {
  readonly context: EngineContext
  /** What another domain offers. That domain must stand before this one in the list of domains. */
  use<B>(spec: DomainSpec<B>): B
  /** Secret of the deployment, for sealing what is given to clients. */
  readonly secret: Uint8Array
  /** A setting that concerns this domain, if it is set. */
  setting(name: string): number | undefined
}

export interface BuiltDomain<A> extends DomainParts {
  readonly api: A
}

export interface DomainParts {
  readonly projections: readonly Projection<any>[]
  readonly reactors?: readonly Reactor[]
  /** Background work that `settle` waits for. */
  readonly background?: readonly { idle(): Promise<void> }[]
  /** Types that `projected` takes, also of other domains; without it, those of the domain's own events. */
  readonly caches?: readonly EventType<any>[]
  /** Rows of these events are in the store. Brings the domain's caches up to date before any writer gets its answer. */
  projected?(events: readonly Event[]): void
  start?(): Promise<void>
  /** This process now owns these partitions of the log; called before any event of them is read. */
  gained?(partitions: ReadonlySet<number>): Promise<void>
  /** Caches of the domain may be out of date: it drops them or reads them again. */
  forget?(): Promise<void>
  stop?(): Promise<void>
}

/** A domain as it runs. */
export type Domain = DomainParts & Pick<DomainSpec, 'name' | 'events' | 'tables'>

/**
 * What follows from events whose rows stand, such as fan-out. A reactor runs in the process that owns the partition of
 * its events and gets them in log order, each at least once: what it does must be safe to do again.
 */
export interface Reactor {
  /** Lower-case letters, digits and hyphens, at most 30. Saved positions and dead letters carry it: never rename one. */
  readonly name: string
  /** Events of other types never reach it. */
  readonly takes: readonly EventType<any>[]
  /**
   * A list of views: their horizon waits for this reactor, and once its queue is full, so does the projection of
   * events. `log`: it holds up nothing. Its position is saved for itself; when it falls behind, it reads the log again
   * from there, and the log keeps what it has not read.
   */
  readonly holds: readonly string[] | 'log'
  /**
   * Where a reactor that holds `log` begins when no position of it is saved: at the end of the log (the default), so
   * that a new reactor does not act on last week's events, or at the last checkpoint.
   */
  readonly begins?: 'end' | 'checkpoint'
  /** How many calls may run at once; events of one key never run in two at once. 1 by default. */
  readonly concurrency?: number
  /** A rejection with an error that will not pass buries the event, after a few tries, as a dead letter. */
  react(events: readonly Event[]): Promise<void>
  /** The event was buried. A reactor that holds a view says here how readers find what the view now lacks. */
  buried?(event: Event): Promise<void>
}

/** Narrows an event of a mixed batch to the type it is tested for. */
export const isEvent = <B>(event: Event, type: EventType<B>): event is Event<B> =>
  (event.type as unknown) === type

/** The tables among the exports of a module, each once, though several kinds of rows may share one. */
export function tablesIn(...modules: readonly Readonly<Record<string, unknown>>[]): readonly Table[] {
  const tables = modules.flatMap((module) => Object.values(module)).filter(isTable)
  return [...new Map(tables.map((table) => [table.name, table])).values()]
}

const isTable = (value: unknown): value is Table =>
  typeof value === 'object' && value !== null && 'name' in value && 'kind' in value && 'decode' in value
