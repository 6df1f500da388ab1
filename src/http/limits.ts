/**
 * Rate limits: one bucket for reads and one for writes per account, refilled evenly. The application itself (the
 * server key without an account to act for) is not limited.
 */

import type { FastifyReply } from 'fastify'
import { RivuletError } from '../core/errors.ts'
import type { Ephemeral, HitResult } from '../ports/ephemeral/ephemeral.ts'
import type { Actor } from './auth.ts'

const RATE_WINDOW_MS = 60_000
/** Per account and window: a person reloading all day stays far below, a loop does not. */
export const RATE_LIMITS: Rates = { read: 3_000, write: 600 }

export type RequestKind = 'read' | 'write'
/** Requests per window of a minute. */
export type Rates = Readonly<Record<RequestKind, number>>

export interface RateLimits {
  /** Counts a request and sets its headers; throws `rate_limited`. */
  admit(account: Actor, kind: RequestKind, reply: FastifyReply): Promise<void>
  /** `uncounted` requests were let through because the counters could not be reached; `limited` ones were refused. */
  readonly stats: { uncounted: number; limited: number }
}

export function createRateLimits(ephemeral: Ephemeral, rates: Rates = RATE_LIMITS): RateLimits {
  const stats = { uncounted: 0, limited: 0 }
  const limitText = { read: String(rates.read), write: String(rates.write) }
  return {
    stats,
    async admit(account, kind, reply) {
      let hit: HitResult
      try {
        hit = await ephemeral.hit(`rate:${kind}:${account.number}`, rates[kind], RATE_WINDOW_MS)
      } catch {
        // A limit protects the service from one caller; losing it must not take the service from all.
        stats.uncounted++
        return
      }
      reply.header('ratelimit-limit', limitText[kind])
      reply.header('ratelimit-remaining', String(hit.remaining))
      reply.header('ratelimit-reset', String(Math.ceil(hit.resetMs / 1_000)))
      if (hit.allowed) return
      stats.limited++
      throw new RivuletError(
        'rate_limited',
        `an account may send at most ${rates[kind]} ${kind}s a minute; wait as long as Retry-After says`,
        {
          retryAfterMs: hit.retryAfterMs,
        },
      )
    },
  }
}
