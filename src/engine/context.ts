/** What the engine offers to the domains that are built on it. */

import type { IdSource } from '../core/ids.ts'
import type { Bus } from '../ports/bus/bus.ts'
import type { Env } from '../ports/env/env.ts'
import type { Ephemeral } from '../ports/ephemeral/ephemeral.ts'
import type { Store } from '../ports/store/store.ts'
import type { ViewSpec } from '../ports/views/views.ts'
import type { Decision, Event, EventType, Idempotency } from './events.ts'
import type { View } from './view.ts'

export interface EngineContext {
  readonly env: Env
  readonly store: Store
  /** Signals to processes that listen at the moment; may be lost. */
  readonly bus: Bus
  /** Presence, rate limits, claims; may be lost. */
  readonly ephemeral: Ephemeral
  readonly ids: IdSource
  /** A view that a domain declares. */
  view(spec: ViewSpec): View
  readonly produce: Produce
  /** Appends an event for other processes without waiting for its projection. Rejects as `produce` does. */
  readonly tell: <B>(type: EventType<B>, key: number, body: B) => Promise<void>
  /** True where other processes write, too: caches of this one may be a moment behind. */
  readonly isShared: boolean
  /**
   * Resolves once everything that any process had projected before the call is in this process's caches; with a key,
   * everything of that key.
   */
  caughtUp(key?: number): Promise<void>
  /**
   * Resolves once every event of this key that stood in the log before the call is projected and in this process's
   * caches. That includes events that were derived from one whose writer has its answer already. Rejects with
   * `unavailable` when it takes longer than 10 s.
   */
  awaitProjected(key: number): Promise<void>
  /** The partition of the log that holds the events of a key. */
  partitionOf(key: number): number
  /** Number of events that are accepted and not yet in the views, over all processes as far as this one knows. */
  lagEvents(domain?: string): number
  /** Number of those that wait for this process. */
  backlogEvents(): number
  /** The event stood in the log when this process took over its partition: an earlier owner may have reacted to it. */
  isReplayed(event: Event): boolean
  /** Tells the operator. */
  readonly onNotice: (text: string) => void
  /** Ends the process: it cannot go on. */
  readonly onFatal: (error: unknown) => void
}

/**
 * Appends one event and waits until its rows stand, so that its writer reads its own write. Rejects with `overloaded`,
 * `unavailable` or `shutting_down` (nothing happened), or with `outcome_unknown` (it may have).
 */
export type Produce = <B, D>(
  type: EventType<B, D>,
  key: number,
  body: B | ((id: number) => B),
  once?: Idempotency,
) => Promise<Produced<D>>

export interface Produced<D = unknown> {
  readonly id: number
  readonly position: number
  /** Of events whose type has one; made by the owner of the partition, and the same in every process. */
  readonly decision: Decision<D> | undefined
}
