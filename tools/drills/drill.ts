/** What a drill is: what it needs, what it does to it, and what is to be expected beyond that nothing is lost. */

import type { Cluster, Needs } from './cluster.ts'
import type { Crowd } from './crowd.ts'
import type { History } from './history.ts'
import type { World } from './load.ts'

export interface Drill extends Needs {
  readonly name: string
  /** One line: what is done. */
  readonly describe: string
  /** Brings the fault about, and calls `struck` with the proof that it did. */
  strike(stage: Stage): Promise<void>
  /** At least so long it lasts. */
  readonly lastsMs: number
  /** Nobody needs to mend it: users are served again before it is mended, and that is waited for. */
  readonly healsByItself?: boolean
  mend(stage: Stage): Promise<void>
  /** How often all of this is done. */
  readonly times?: number
  /** What shows that operations met it, where being refused or slow does not. */
  isMet?(history: History): boolean
  /** No write may be acknowledged while it lasts. */
  readonly refusesWrites?: boolean
  /** Clients go to the other API process when theirs refuses or does not answer for so long. */
  readonly failsOverAfterMs?: number
  /** What must hold beside what always must; after the load. */
  check?(stage: Stage, report: (line: string) => void): void | Promise<void>
}

export interface Stage extends Cluster {
  readonly world: World
  /** Where the drill needs one. */
  readonly crowd: Crowd | undefined
  say(line: string): void
  /** Keeps the end of the load waiting for it. */
  track(task: Promise<unknown>): void
  /** The fault is there: without the proof the drill has failed. */
  struck(what: string, isSo: boolean): void
}
