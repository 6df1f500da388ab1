/**
 * Claims of keyed requests that are under way, shared by all processes of a deployment. While the shared keys cannot be
 * reached, each process knows only its own claims: a repeat that reaches another process then is not held back and
 * appends a second event, but the projection applies only the first of the two.
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
