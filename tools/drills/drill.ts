/** What a drill is: what it needs, what it does to it, and what is to be expected beyond that nothing is lost. */

import type { Cluster, NodeCounts } from './cluster.ts'
import type { History } from './history.ts'

export interface Drill {
  readonly name: string
  /** One line: what is done. */
  readonly describe: string
  /** One node of each where nothing else is said. */
  readonly nodes?: NodeCounts
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
}

export interface Stage extends Cluster {
  say(line: string): void
  /** The fault is there: without the proof the drill has failed. */
  struck(what: string, isSo: boolean): void
}
