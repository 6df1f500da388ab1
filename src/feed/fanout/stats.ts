/** What fan-out has done in this process, for metrics. */

import { DELAY_BOUNDS_MS, Histogram } from '../../core/histogram.ts'
import { idTimeMs } from '../../core/ids.ts'
import type { Env } from '../../ports/env/env.ts'

export interface FanoutStats {
  posts: number
  inserts: number
  skippedInactive: number
  chunks: number
  /** From accepted to visible for all readers. */
  readonly visible: Histogram
  /**
   * The fan-out of a post is complete. Posts from before this process started are not observed: an earlier process
   * may have completed them once already.
   */
  arrived(post: number): void
}

export function createFanoutStats(env: Env): FanoutStats {
  const startedMs = env.wallMs()
  const stats: FanoutStats = {
    posts: 0,
    inserts: 0,
    skippedInactive: 0,
    chunks: 0,
    visible: new Histogram(DELAY_BOUNDS_MS),
    arrived(post) {
      const acceptedMs = idTimeMs(post)
      if (acceptedMs >= startedMs) stats.visible.observe(Math.max(0, env.wallMs() - acceptedMs))
    },
  }
  return stats
}
