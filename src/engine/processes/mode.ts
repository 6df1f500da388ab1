/** What differs between a process that does everything and one that shares the work with others. */

import type { IdSource } from '../../core/ids.ts'
import type { Env } from '../../ports/env/env.ts'
import type { Log } from '../../ports/log/log.ts'
import type { Store } from '../../ports/store/store.ts'
import type { Views } from '../../ports/views/views.ts'
import type { Event, EventDecoder } from '../events.ts'
import type { Horizon } from '../horizon/horizon.ts'
import type { Worker, WorkerOptions } from '../worker/worker.ts'
import type { Waiters } from '../worker/waiters.ts'

export interface ModePorts {
  readonly env: Env
  readonly log: Log
  readonly store: Store
  readonly views: Views
  readonly waiters: Waiters
  readonly onFatal: (error: unknown) => void
  readonly onNotice: (text: string) => void
}

export interface Mode {
  readonly ids: IdSource
  readonly horizon: Horizon
  readonly isShared: boolean
  /** Tells the views how far fan-out has come. */
  publish(): Promise<void>
  /** Events whose effects on the views are still to come. */
  lagEvents(): number
  /** Of those, the ones that wait for this process. */
  backlogEvents(): number
  /** Resolves once everything that was projected before, by anybody, is in this process's caches; of one key, if given. */
  caughtUp(key?: number): Promise<void>
  /** Resolves once every event of this key that stood in the log before the call is in this process's caches. */
  awaitProjected(key: number): Promise<void>
  /** Timelines live on from before the partition became this process's. */
  survived(partition: number): boolean
  /** What becomes of an event from its stamp to its place in the log. */
  readonly append: {
    /** Why nothing may be appended now, if so. */
    refusal(): string | undefined
    stamped(id: number, key: number): void
    /** @param isNotice others need to know it before a horizon that is told later */
    appended(id: number, key: number, position: number, isNotice: boolean): void
    failed(id: number, key: number, error: unknown): void
  }
  /** It stands in the log, and nothing will come of it. */
  skipped(partition: number, position: number): void
  readonly worker: Pick<
    WorkerOptions,
    | 'onDone'
    | 'afterBatch'
    | 'onProjected'
    | 'onReacted'
    | 'startAt'
    | 'savable'
    | 'onGained'
    | 'onOwned'
    | 'onLost'
    | 'beforeCheckpoint'
    | 'checkpointMs'
  >
  /** Before domains load what they hold in memory. */
  prepare(): Promise<void>
  start(parts: ModeParts): Promise<void>
  settle(): Promise<void>
  stop(): Promise<void>
}

export interface ModeParts {
  readonly worker: Worker
  readonly decode: EventDecoder
  readonly onRead: (event: Event) => void
  /** Rows of these stand: brings caches up to date and lets writers go on. */
  readonly apply: (partition: number, events: readonly Event[], next: number) => void
  /** Its caches hold all of the partition that was projected below this position. */
  readonly appliedTo: (partition: number) => number
  /** Reads everything that is cached anew. */
  readonly forget: () => Promise<void>
  /** This process reacts in these partitions from now on. */
  readonly gained: (partitions: ReadonlySet<number>) => Promise<void>
}
