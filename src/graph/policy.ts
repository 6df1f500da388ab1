/**
 * Push or pull, decided by data that operators change at run time: a threshold on followers, an override for an
 * account, and a share in eighths for moving an author gradually. A post is pushed along those edges (follower,
 * author) whose bucket 0 to 7 lies below the share; the other followers pull it.
 */

import { scanAll } from '../engine/rows/scan.ts'
import type { Store } from '../ports/store/store.ts'
import { policyTable, tiersTable } from './tables.ts'

export const SHARES = 8
export type Tier = 'push' | 'pull'
export type TierOverride = Tier | 'auto'
export const OVERRIDES: readonly TierOverride[] = ['auto', 'push', 'pull']

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

export interface AccountTier {
  readonly override: TierOverride
  /** To how many eighths of the edges posts are pushed while the tier is push. */
  readonly share: number
}

const AUTO: AccountTier = { override: 'auto', share: SHARES }

export interface Policies {
  readonly current: Policy
  /** @param json the settings that change */
  change(json: string): void
  tierOf(number: number): AccountTier
  setTier(number: number, override: number, share: number): void
  /** To how many eighths of an author's edges a post is pushed; 0 means that all followers pull it. */
  shareOf(number: number, followers: number): number
  load(store: Store): Promise<void>
}

export function createPolicies(): Policies {
  /** `set` is the policy as operators set it, `current` the one in force. */
  let set = POLICY_DEFAULTS
  let current = inForce(set)
  const tiers = new Map<number, AccountTier>()
  const setTier = (number: number, override: number, share: number) => {
    if (override === 0 && share === SHARES) tiers.delete(number)
    else tiers.set(number, { override: OVERRIDES[override], share })
  }
  return {
    get current() {
      return current
    },
    change(json) {
      set = { ...set, ...(JSON.parse(json) as Partial<Policy>) }
      current = inForce(set)
    },
    tierOf: (number) => tiers.get(number) ?? AUTO,
    setTier,
    shareOf(number, followers) {
      const { override, share } = tiers.get(number) ?? AUTO
      if (override === 'pull') return 0
      if (override === 'auto' && followers >= current.push_threshold_followers) return 0
      return share
    },
    async load(store) {
      const [row] = await store.get([policyTable.key()])
      if (row !== undefined) {
        set = { ...POLICY_DEFAULTS, ...(JSON.parse(policyTable.decode(row).policy) as Partial<Policy>) }
        current = inForce(set)
      }
      for await (const tier of scanAll(store, tiersTable)) setTier(tier.number, tier.override, tier.share)
    },
  }
}

/** Bucket 0 … 7 of an edge, which never changes: a share of n eighths includes the buckets below n. */
export const edgeBucket = (follower: number, followee: number): number =>
  Math.imul(follower ^ Math.imul(followee, 0x9e3779b1), 0x85ebca6b) >>> 29
