/**
 * Claims of requests that are under way, for all processes of a deployment. While the keys that they share are away,
 * each process knows of its own: a repeat that reaches another process in that moment is not held back, and becomes
 * a second event, of which the projection takes in the first only.
 */

import type { Claims } from '../../http/idempotency.ts'

export const createClaims = (shared: Claims, own: Claims): Claims => ({
  async putIfAbsent(key, value, ttlMs) {
    if (!(await own.putIfAbsent(key, value, ttlMs))) return false
    const isFirst = await shared.putIfAbsent(key, value, ttlMs).catch(() => true)
    if (!isFirst) await own.take(key)
    return isFirst
  },
  async take(key) {
    await own.take(key)
    return shared.take(key)
  },
})
