/** What a fan-out has done in this process, for metrics. */

import { DELAY_BOUNDS_MS, Histogram } from '../../core/histogram.ts'
import { idTimeMs } from '../../core/ids.ts'
import type { Env } from '../../ports/env/env.ts'

export interface FanoutStats {
  events: number
  /** Effects that `serve` had, such as view entries. */
  served: number
  skipped: number
  chunks: number
  /** From accepted to visible for all members. */
  readonly visible: Histogram
  /**
   * The fan-out of an event is complete. Events from before this process started are not observed: an earlier process
   * may have completed them once already.
   */
  arrived(id: number): void
}

export function createFanoutStats(env: Env): FanoutStats {
  const startedMs = env.wallMs()
  const stats: FanoutStats = {
    events: 0,
    served: 0,
    skipped: 0,
    chunks: 0,
    visible: new Histogram(DELAY_BOUNDS_MS),
    arrived(id) {
      const acceptedMs = idTimeMs(id)
      if (acceptedMs >= startedMs) stats.visible.observe(Math.max(0, env.wallMs() - acceptedMs))
    },
  }
  return stats
}
