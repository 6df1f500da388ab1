/**
 * When a row ends and when its remains go. An ended row is invisible at once, but stays for a while: its
 * version still refuses older writes, and a clock that was an hour ahead has destroyed nothing.
 */

const HOUR_MS = 3_600_000
const REMAINS_MS = HOUR_MS

export const isExpired = (expiresAtMs: number | undefined, nowMs: number): boolean =>
  expiresAtMs !== undefined && expiresAtMs <= nowMs

export const areRemainsDue = (expiresAtMs: number | undefined, nowMs: number): boolean =>
  isExpired(expiresAtMs, nowMs - REMAINS_MS)

/** Rows are remembered for removal by the hour they end in. */
export const expiryHour = (expiresAtMs: number): number => Math.max(0, Math.floor(expiresAtMs / HOUR_MS))

/** The remains of every row that ended before this hour are due. */
export const firstHourNotDue = (nowMs: number): number => expiryHour(nowMs - REMAINS_MS)
