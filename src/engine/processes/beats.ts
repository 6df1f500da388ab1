/**
 * Beats: a process shows that it lives by a row that changes. Who looks takes it for gone once that has not changed
 * for a while, by its own clock; who beats trusts its last beat for less long, and does not beat itself back into
 * trust after that. So nobody is taken for gone who still trusts itself, however long either of them stands still.
 */

import { assert } from '../../core/errors.ts'
import type { Env } from '../../ports/env/env.ts'

/** Without a new beat for so long, a process is taken for gone. */
export const BEAT_STALE_MS = 10_000
/** A process trusts its last beat for so long. */
const SURE_MS = 7_000
/** Beats come as often at least, or a living process would lose its trust in itself. */
export const BEAT_MS_MAX = 2_000

assert(BEAT_MS_MAX < SURE_MS && SURE_MS < BEAT_STALE_MS, 'trust in a beat outlives what others give it')

export interface BeatWatch {
  /**
   * @param askedAtMs when the look began: who stood still with the answer at hand knows nothing of the time since
   * @returns for how long the beat has not changed
   */
  saw(name: string, beat: number, askedAtMs: number): number
  /** It has changed while this one looked. */
  hasBeaten(name: string): boolean
  /** Forgets all but these. */
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

export interface Trust {
  isSure(): boolean
  /** From the moment at which a beat began that has succeeded. */
  from(beganAtMs: number): void
  /** Until the next beat that succeeds. */
  lapse(): void
  /** For good. */
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
