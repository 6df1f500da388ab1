/**
 * Keys with a life: claims, tickets, rate limits, presence.
 *
 * Promises: `putIfAbsent` and `take` have one winner; `hit` never counts a caller twice; lives are measured
 * on one clock for all processes, whatever theirs say.
 * Does not promise: survival. A lost key means *unknown*, never "no".
 */
export interface Ephemeral {
  /** True for the one caller that put it. At most `valueBytesMax` (4 KiB) of text. */
  putIfAbsent(key: string, value: string, ttlMs: number): Promise<boolean>
  get(key: string): Promise<string | undefined>
  /** Reads and removes in one step. */
  take(key: string): Promise<string | undefined>
  /** A token bucket per key: `limit` tokens, refilled evenly over `windowMs`. */
  hit(key: string, limit: number, windowMs: number): Promise<HitResult>
  /** Adds `member` to the set at `key` until `ttlMs` from now; repeating it renews the life. */
  join(key: string, member: string, ttlMs: number): Promise<void>
  leave(key: string, member: string): Promise<void>
  /** Living members, at most `limit`. */
  members(key: string, limit: number): Promise<readonly string[]>
  close(): Promise<void>
}

export interface HitResult {
  readonly allowed: boolean
  readonly remaining: number
  /** Until a next hit is allowed; 0 when one is. */
  readonly retryAfterMs: number
  /** Until the bucket is full again. */
  readonly resetMs: number
}
