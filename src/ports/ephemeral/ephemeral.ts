/**
 * The port `ephemeral`: keys with a lifetime, for claims, tickets, rate limits and presence.
 *
 * Promises
 * - Of all callers of `putIfAbsent` for a key, one wins; of all callers of `take`, one gets the value.
 * - `hit` never counts one call twice.
 * - Lifetimes are measured on one clock for all processes, whatever their own clocks say.
 *
 * Does not promise
 * - That a key survives. A missing key means *unknown*, never "no".
 */
export interface Ephemeral {
  /** True for the one caller whose value was stored. A value has at most 4 KiB of text. */
  putIfAbsent(key: string, value: string, ttlMs: number): Promise<boolean>
  get(key: string): Promise<string | undefined>
  /** Reads and removes a value in one step. */
  take(key: string): Promise<string | undefined>
  /**
   * Takes `cost` tokens, one by default, from the key's bucket: `limit` tokens, refilled evenly over `windowMs`. A hit
   * for which too few are left takes none. `cost` is at most `limit`.
   */
  hit(key: string, limit: number, windowMs: number, cost?: number): Promise<HitResult>
  /** Adds `member` to the set at `key` for `ttlMs`; a repeated call begins the time anew. */
  join(key: string, member: string, ttlMs: number): Promise<void>
  leave(key: string, member: string): Promise<void>
  /** Returns members whose time has not ended, at most `limit`, in any order. */
  members(key: string, limit: number): Promise<readonly string[]>
  close(): Promise<void>
}

export interface HitResult {
  readonly allowed: boolean
  /** Tokens left. */
  readonly remaining: number
  /** Until another hit of this cost is allowed; 0 when one is allowed now. */
  readonly retryAfterMs: number
  /** Until the bucket is full again. */
  readonly resetMs: number
}
