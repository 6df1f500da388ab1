/**
 * When a row ends, and when its remains are removed. A row is invisible from its end on, but stays stored for another
 * hour: its version still refuses older writes, and a process whose clock is an hour ahead destroys nothing.
 */

const HOUR_MS = 3_600_000
const REMAINS_MS = HOUR_MS

export const isExpired = (expiresAtMs: number | undefined, nowMs: number): boolean =>
  expiresAtMs !== undefined && expiresAtMs <= nowMs

export const areRemainsDue = (expiresAtMs: number | undefined, nowMs: number): boolean =>
  isExpired(expiresAtMs, nowMs - REMAINS_MS)

/** The hour in which a row ends. Adapters list the rows to remove by this hour. */
export const expiryHour = (expiresAtMs: number): number => Math.max(0, Math.floor(expiresAtMs / HOUR_MS))

/** Rows that ended in an hour before this one may all be removed. */
export const firstHourNotDue = (nowMs: number): number => expiryHour(nowMs - REMAINS_MS)
