/** The ports that a process works with, whichever adapters they are, and the options to open them. */

import type { Bus } from '../../ports/bus/bus.ts'
import type { Env } from '../../ports/env/env.ts'
import type { Ephemeral } from '../../ports/ephemeral/ephemeral.ts'
import type { Log } from '../../ports/log/log.ts'
import type { Store } from '../../ports/store/store.ts'
import type { ViewSpec, Views } from '../../ports/views/views.ts'
import type { Notes } from './notes.ts'
import type { Config } from '../config/settings.ts'

/** A metric that only some adapters have. */
export interface Figure {
  readonly name: string
  readonly help: string
  readonly read: () => number
  readonly kind?: 'gauge' | 'total'
}

/** The ports that hold the data. */
export interface Durable {
  readonly log: Log
  readonly store: Store
  readonly notes: Notes
  /** Identifies the deployment among others on the same engines. */
  readonly id: string
  /** Where the data is, for people: the folder, or the engines. */
  readonly place: string
  readonly figures: readonly Figure[]
  /** Where timelines in memory may be kept from one process to the next. */
  readonly timelinesFile?: string
  /** Makes views refuse changes once another process may have taken this one's place. */
  guard?(views: Views): Views
  /** In a shared deployment: resolves once no process has it to itself, with how often one had. */
  readonly gate?: () => Promise<number>
  close(): Promise<void>
}

/** The ports whose content may be lost, and is then made again. */
export interface Volatile {
  /** The timelines of the home feed. */
  readonly views: Views
  /** The views of other domains, by name. */
  readonly otherViews: ReadonlyMap<string, Views>
  readonly ephemeral: Ephemeral
  readonly bus: Bus
  readonly figures: readonly Figure[]
  close(): Promise<void>
}

export interface OpenPorts extends Omit<Durable & Volatile, 'close'> {
  /** Of the durable and the volatile ports. */
  readonly figures: readonly Figure[]
  readonly env: Env
  /** Closes the ports, in the opposite order of opening. */
  close(): Promise<void>
}

export interface OpenPortsOptions {
  readonly env: Env
  readonly config: Config
  /** Called when the disk failed: nothing that follows can be trusted. */
  readonly onFatal: (error: unknown) => void
  /** Called with a sentence that an operator should read, such as that a torn tail was cut. */
  readonly onNotice: (text: string) => void
  /** Waits while another process has the deployment on engines; by default that is `data_locked`. */
  readonly waitsForLease?: boolean
  /** Others may serve the same deployment at the same time. */
  readonly isShared?: boolean
  /** The views to open; those of the product's domains unless others are given. */
  readonly viewSpecs?: readonly ViewSpec[]
  /** Takes over the timelines of the previous process, and leaves them to the next; for a process that serves. */
  readonly keepsTimelines?: boolean
}

export interface MigrateOptions extends Pick<OpenPortsOptions, 'env' | 'config' | 'onNotice'> {
  /** Accepts a new keyspace for a log that holds events already: its rows will be made from those. */
  readonly rebuild?: boolean
}
