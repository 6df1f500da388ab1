/**
 * Liveness by heartbeat: a process shows that it is alive by changing a row. An observer declares it dead after 10 s
 * without a change, on the observer's clock. The process itself stops trusting its last heartbeat after 7 s; after that
 * a further heartbeat is not enough, and it must join anew. So no process is declared dead while it still trusts itself,
 * however long the process or the observer is frozen.
 */

import { assert } from '../../core/errors.ts'
import type { Env } from '../../ports/env/env.ts'

/** After so long without a change of its heartbeat, an observer declares a process dead. */
export const BEAT_STALE_MS = 10_000
/** For so long a process trusts its last heartbeat. */
const SURE_MS = 7_000
/** The longest interval between heartbeats that callers may choose: several of them must fit into `SURE_MS`. */
export const BEAT_MS_MAX = 2_000

assert(
  BEAT_MS_MAX < SURE_MS && SURE_MS < BEAT_STALE_MS,
  'a process stops trusting itself before others declare it dead',
)

export interface BeatWatch {
  /**
   * Notes the heartbeat of a process as it was read.
   * @param askedAtMs when the read began: the observer may have been frozen since, and the answer says nothing of that
   * time
   * @returns for how long the heartbeat has not changed
   */
  saw(name: string, beat: number, askedAtMs: number): number
  /** The process is certainly alive: its heartbeat has changed between two calls of `saw`. */
  hasBeaten(name: string): boolean
  /** Forgets all processes but these. */
  keep(names: ReadonlySet<string>): void
}

export function createBeatWatch(env: Env): BeatWatch {
  const seen = new Map<string, { beat: number; first: number; atMs: number }>()
  return {
    saw(name, beat, askedAtMs) {
      const known = seen.get(name)
      if (known?.beat === beat) return askedAtMs - known.atMs
      seen.set(name, { beat, first: known?.first ?? beat, atMs: env.monotonicMs() })
      return 0
    },
    hasBeaten(name) {
      const known = seen.get(name)
      return known !== undefined && known.beat !== known.first
    },
    keep(names) {
      for (const name of seen.keys()) if (!names.has(name)) seen.delete(name)
    },
  }
}

/** Whether a process may act on the belief that nobody has declared it dead. */
export interface Trust {
  isSure(): boolean
  /** A heartbeat has succeeded: the process trusts itself for `SURE_MS` from the moment when that heartbeat began. */
  from(beganAtMs: number): void
  /** Ends the trust until the next call of `from`. */
  lapse(): void
  /** Ends the trust for good. */
  end(): void
}

export function createTrust(env: Env): Trust {
  let sureAtMs = Number.NEGATIVE_INFINITY
  let isOver = false
  return {
    isSure: () => !isOver && env.monotonicMs() - sureAtMs < SURE_MS,
    from(beganAtMs) {
      sureAtMs = Math.max(sureAtMs, beganAtMs)
    },
    lapse() {
      sureAtMs = Number.NEGATIVE_INFINITY
    },
    end() {
      isOver = true
    },
  }
}
