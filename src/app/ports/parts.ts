/** What a process has to work with, whatever that is on, and what it takes to open it. */

import type { Bus } from '../../ports/bus/bus.ts'
import type { Env } from '../../ports/env/env.ts'
import type { Ephemeral } from '../../ports/ephemeral/ephemeral.ts'
import type { Log } from '../../ports/log/log.ts'
import type { Store } from '../../ports/store/store.ts'
import type { Views } from '../../ports/views/views.ts'
import type { Notes } from './notes.ts'
import type { Config } from '../config/settings.ts'

/** A number that only some adapters have. */
export interface Figure {
  readonly name: string
  readonly help: string
  readonly read: () => number
  readonly kind?: 'gauge' | 'total'
}

/** What is the truth. */
export interface Durable {
  readonly log: Log
  readonly store: Store
  readonly notes: Notes
  /** Names the deployment among others that may share an engine with it. */
  readonly id: string
  /** What people call it by: the folder, or the engines. */
  readonly place: string
  readonly figures: readonly Figure[]
  /** Where timelines in memory may be kept from one process to the next. */
  readonly timelinesFile?: string
  /** For what must not be changed by a process that another may have replaced. */
  guard?(views: Views): Views
  /** Of a deployment that others serve, too: resolves once nobody has it alone, with how often somebody had. */
  readonly gate?: () => Promise<number>
  close(): Promise<void>
}

/** What may be lost, and is then made again. */
export interface Volatile {
  readonly views: Views
  readonly ephemeral: Ephemeral
  readonly bus: Bus
  readonly figures: readonly Figure[]
  close(): Promise<void>
}

export interface OpenPorts extends Omit<Durable & Volatile, 'close'> {
  /** Of both halves. */
  readonly figures: readonly Figure[]
  readonly env: Env
  /** Opened in order, closed in the opposite order. */
  close(): Promise<void>
}

export interface OpenPortsOptions {
  readonly env: Env
  readonly config: Config
  /** The disk failed: nothing that follows can be trusted. */
  readonly onFatal: (error: unknown) => void
  /** What an operator should know, such as a torn tail that was cut. */
  readonly onNotice: (text: string) => void
  /** A deployment on engines that others serve is waited for; else it is `data_locked`. */
  readonly waitsForLease?: boolean
  /** Others may serve the same deployment at the same time. */
  readonly isShared?: boolean
  /** Timelines are taken over from the process before, and left for the next one: for a process that serves them. */
  readonly keepsTimelines?: boolean
}

export interface MigrateOptions extends Pick<OpenPortsOptions, 'env' | 'config' | 'onNotice'> {
  /** A new keyspace for a log that holds events already: its rows are to be made from those. */
  readonly rebuild?: boolean
}
