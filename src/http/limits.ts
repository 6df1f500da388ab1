/**
 * Rate limits: token buckets, refilled evenly over a minute. A caller has one bucket for reads and one for writes; a
 * route may have a bucket of its own beside them. Takes and returns plain values, so that requests over HTTP and
 * messages on sockets count in the same buckets.
 */

import type { Ephemeral, HitResult } from '../ports/ephemeral/ephemeral.ts'

const RATE_WINDOW_MS = 60_000
/** Per account and window: a person reloading all day stays far below, a loop does not. */
export const RATE_LIMITS: Rates = { read: 3_000, write: 600 }

export type RequestKind = 'read' | 'write'
/** Requests per window of a minute. */
export type Rates = Readonly<Record<RequestKind, number>>

/** What is counted together: all reads of a caller, all writes, or the requests to one route. */
export interface Bucket {
  readonly name: string
  readonly perMinute: number
}

export interface RateLimits {
  readonly buckets: Readonly<Record<RequestKind, Bucket>>
  /**
   * Counts a request that costs as much as `cost` simple ones; more than a whole bucket counts as a whole bucket.
   * @param who the number of an account, or the network of a caller without one (client-network.ts)
   * @returns `undefined` if it could not be counted, and is let through
   */
  admit(who: number | string, bucket: Bucket, cost?: number): Promise<HitResult | undefined>
  /** `uncounted` requests were let through because the counters could not be reached; `limited` ones were refused. */
  readonly stats: { uncounted: number; limited: number }
}

export function createRateLimits(ephemeral: Pick<Ephemeral, 'hit'>, rates: Rates = RATE_LIMITS): RateLimits {
  const stats = { uncounted: 0, limited: 0 }
  return {
    buckets: {
      read: { name: 'read', perMinute: rates.read },
      write: { name: 'write', perMinute: rates.write },
    },
    stats,
    async admit(who, { name, perMinute }, cost = 1) {
      try {
        const hit = await ephemeral.hit(
          `rate:${name}:${who}`,
          perMinute,
          RATE_WINDOW_MS,
          Math.min(cost, perMinute),
        )
        if (!hit.allowed) stats.limited++
        return hit
      } catch {
        // A limit protects the service from one caller; losing it must not take the service from all.
        stats.uncounted++
        return undefined
      }
    },
  }
}
