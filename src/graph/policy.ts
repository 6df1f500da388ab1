/**
 * Push or pull for authors, decided by data that operators change at run time: a threshold on followers, and for an
 * account an override and a share (`engine/fanout/policy.ts`).
 */

import { createTiers, type Tiers } from '../engine/fanout/policy.ts'
import type { Store } from '../ports/store/store.ts'
import { policyTable, tiersTable } from './tables.ts'

export interface Policy {
  /** The posts of an author with at least so many followers are pulled. */
  readonly push_threshold_followers: number
  /** Fan-out skips readers who were not seen for so long; their timelines are rebuilt when they return. */
  readonly inactive_days: number
  /** A large fan-out serves readers seen within so many hours before the others. */
  readonly active_hours: number
}

export const POLICY_DEFAULTS: Policy = {
  push_threshold_followers: 10_000,
  inactive_days: 30,
  active_hours: 24,
}

const HOURS_A_DAY = 24

/**
 * No reader may be active and inactive at once, so `active_hours` must not exceed `inactive_days`. Commands refuse a
 * change that would let it; but two changes at the same moment, each right by itself, may do so together. Then the
 * shorter span is in force for both.
 */
const inForce = (set: Policy): Policy => ({
  ...set,
  active_hours: Math.min(set.active_hours, set.inactive_days * HOURS_A_DAY),
})

export interface Policies {
  readonly current: Policy
  /** @param json the settings that change */
  change(json: string): void
  readonly tierOf: Tiers['of']
  readonly setTier: Tiers['set']
  /** To how many eighths of an author's edges a post is pushed; 0 means that all followers pull it. */
  shareOf(number: number, followers: number): number
  load(store: Store): Promise<void>
}

export function createPolicies(): Policies {
  /** `set` is the policy as operators set it, `current` the one in force. */
  let set = POLICY_DEFAULTS
  let current = inForce(set)
  const tiers = createTiers(tiersTable)
  return {
    get current() {
      return current
    },
    change(json) {
      set = { ...set, ...(JSON.parse(json) as Partial<Policy>) }
      current = inForce(set)
    },
    tierOf: tiers.of,
    setTier: tiers.set,
    shareOf: (number, followers) => tiers.shareOf(number, followers, current.push_threshold_followers),
    async load(store) {
      const [row] = await store.get([policyTable.key()])
      if (row !== undefined) {
        set = { ...POLICY_DEFAULTS, ...(JSON.parse(policyTable.decode(row).policy) as Partial<Policy>) }
        current = inForce(set)
      }
      await tiers.load(store)
    },
  }
}
