/** The difference between a process that does everything (`alone.ts`) and one that shares the work (`shared.ts`). */

import type { IdSource } from '../../core/ids.ts'
import type { Env } from '../../ports/env/env.ts'
import type { Log } from '../../ports/log/log.ts'
import type { Store } from '../../ports/store/store.ts'
import type { AppendTracker } from '../append.ts'
import type { Event, EventDecoder, EventType } from '../events.ts'
import type { OpenView, View } from '../view.ts'
import type { Ownership } from '../worker/ownership.ts'
import type { Worker } from '../worker/worker.ts'
import type { Waiters } from '../worker/waiters.ts'

export interface ModePorts {
  readonly env: Env
  readonly log: Log
  readonly store: Store
  readonly views: readonly OpenView[]
  readonly waiters: Waiters
  readonly domainOf: (type: EventType<any>) => string
  readonly onFatal: (error: unknown) => void
  readonly onNotice: (text: string) => void
}

export interface Mode {
  readonly ids: IdSource
  readonly views: readonly View[]
  readonly isShared: boolean
  /** Number of events, of a domain or of all, that are accepted and not yet in the views. */
  lagEvents(domain?: string): number
  /** Number of those that wait for this process. */
  backlogEvents(): number
  /** As in `EngineContext`. */
  caughtUp(key?: number): Promise<void>
  /** As in `EngineContext`. */
  awaitProjected(key: number): Promise<void>
  readonly append: AppendTracker
  readonly ownership: Ownership
  /** The projection passed over this event: it repeats a request, or it was buried. */
  skipped(partition: number, position: number): void
  /** Runs before domains load what they hold in memory. */
  prepare(): Promise<void>
  start(parts: ModeParts): Promise<void>
  settle(): Promise<void>
  stop(): Promise<void>
}

export interface ModeParts {
  readonly worker: Worker
  readonly decode: EventDecoder
  readonly onRead: (event: Event) => void
  /** Notes on each event what was decided on it, read from the store. */
  readonly recall: (events: readonly Event[]) => Promise<void>
  /** Rows of these events stand: brings caches up to date and lets writers go on. */
  readonly apply: (partition: number, events: readonly Event[], next: number) => void
  /** Caches of this process hold everything of the partition that was projected below this position. */
  readonly appliedTo: (partition: number) => number
  /** Drops whatever is cached, or reads it again. */
  readonly forget: (domains: ReadonlySet<string> | 'all') => Promise<void>
  readonly isNeeded: (type: EventType<any>) => boolean
  /** This process owns these partitions from now on. */
  readonly gained: (partitions: ReadonlySet<number>) => Promise<void>
}
