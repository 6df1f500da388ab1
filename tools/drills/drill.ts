/**
 * A drill: the deployment that it needs, the fault that it brings about and mends, and what must hold beside the promises
 * that are checked after every drill.
 */

import type { Cluster, Needs } from './cluster.ts'
import type { Crowd } from './crowd.ts'
import type { History } from './history.ts'
import type { World } from './load.ts'

export interface Drill extends Needs {
  readonly name: string
  /** One line that says what the drill does. */
  readonly describe: string
  /** Brings the fault about, and calls `struck` with the proof. */
  strike(stage: Stage): Promise<void>
  /** The fault lasts at least so long. */
  readonly lastsMs: number
  /** Users must be served again before the fault is mended, and mending waits for that. */
  readonly healsByItself?: boolean
  mend(stage: Stage): Promise<void>
  /** How often the drill strikes and mends. */
  readonly times?: number
  /** Whether the fault had an effect on operations. By default: any was refused, unknown, slow or incomplete. */
  isMet?(history: History): boolean
  /** No write may be acknowledged while the fault lasts. */
  readonly refusesWrites?: boolean
  /** Clients go to the other API process when theirs refuses, or does not answer within this time. */
  readonly failsOverAfterMs?: number
  /** Checks of this drill alone, made after the load has ended. */
  check?(stage: Stage, report: (line: string) => void): void | Promise<void>
}

export interface Stage extends Cluster {
  readonly world: World
  /** Set if the drill needs one. */
  readonly crowd: Crowd | undefined
  say(line: string): void
  /** The load does not end before this task. */
  track(task: Promise<unknown>): void
  /** Says that the fault is there; `isSo` is the proof. Throws if it is false, since the drill would show nothing. */
  struck(what: string, isSo: boolean): void
}
