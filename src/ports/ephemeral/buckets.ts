/**
 * Token buckets, each stored as one number: the moment at which the bucket is full again (the generic cell rate
 * algorithm). A hit moves that moment by the time that its tokens take. A full bucket need not be stored, so that moment
 * is also the end of the key's lifetime.
 */

import type { HitResult } from './ephemeral.ts'
import { LivingMap, type Mortal, type Room } from './living.ts'

/** Differences of times below this come from rounding. */
const ROUNDING_MS = 1e-3

export class Buckets {
  private readonly buckets: LivingMap<Mortal>

  constructor(room: Room) {
    this.buckets = new LivingMap(room)
  }

  hit(key: string, limit: number, windowMs: number, cost: number, nowMs: number): HitResult {
    const tokenMs = windowMs / limit
    const costMs = tokenMs * cost
    const bucket = this.buckets.get(key, nowMs)
    // A key that was hit under a longer window owes at most this window.
    const owedMs = bucket === undefined ? 0 : Math.min(bucket.expiresAtMs - nowMs, windowMs)
    const allowed = owedMs + costMs <= windowMs + ROUNDING_MS
    if (!allowed) return hitResult(false, owedMs, windowMs, limit, cost)
    const fullAtMs = nowMs + owedMs + costMs
    if (bucket === undefined) this.buckets.add(key, { expiresAtMs: fullAtMs }, nowMs)
    else bucket.expiresAtMs = fullAtMs
    return hitResult(true, owedMs + costMs, windowMs, limit, cost)
  }
}

/** @param owedMs until the bucket is full again */
export function hitResult(
  allowed: boolean,
  owedMs: number,
  windowMs: number,
  limit: number,
  cost: number,
): HitResult {
  const tokenMs = windowMs / limit
  const waitMs = owedMs + tokenMs * cost - windowMs
  return {
    allowed,
    remaining: Math.max(0, Math.floor((windowMs - owedMs + ROUNDING_MS) / tokenMs)),
    retryAfterMs: waitMs <= ROUNDING_MS ? 0 : Math.ceil(waitMs),
    resetMs: Math.ceil(owedMs),
  }
}
