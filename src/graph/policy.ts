/**
 * Push or pull. The policy is data, changed at run time: a threshold on followers, an override per account,
 * and a share in eighths for gradual moves. A post is pushed to the edges whose bucket lies below its share.
 */

import { scanAll } from '../engine/rows/scan.ts'
import type { Store } from '../ports/store/store.ts'
import { policyTable, tiersTable } from './tables.ts'

export const SHARES = 8
export type Tier = 'push' | 'pull'
export type TierOverride = Tier | 'auto'
export const OVERRIDES: readonly TierOverride[] = ['auto', 'push', 'pull']

export interface Policy {
  /** From this many followers on, an author's posts are pulled by the readers instead of pushed to them. */
  readonly push_threshold_followers: number
  /** Readers not seen for so long are skipped; their timelines are rebuilt on return. */
  readonly inactive_days: number
  /** Readers seen within so many hours are served first by a large fan-out. */
  readonly active_hours: number
}

export const POLICY_DEFAULTS: Policy = {
  push_threshold_followers: 10_000,
  inactive_days: 30,
  active_hours: 24,
}

const HOURS_A_DAY = 24

/**
 * Who is active is not inactive. A command refuses a change that would say otherwise; of two changes at the same
 * moment, each of which was right by itself, the shorter span counts.
 */
const inForce = (set: Policy): Policy => ({
  ...set,
  active_hours: Math.min(set.active_hours, set.inactive_days * HOURS_A_DAY),
})

export interface AccountTier {
  readonly override: TierOverride
  /** Eighths of the edges that are pushed to while the tier is push. */
  readonly share: number
}

const AUTO: AccountTier = { override: 'auto', share: SHARES }

export interface Policies {
  readonly current: Policy
  /** JSON of what changes. */
  change(json: string): void
  tierOf(number: number): AccountTier
  setTier(number: number, override: number, share: number): void
  /** Eighths of an author's edges that a post is pushed to: 0 is pull. */
  shareOf(number: number, followers: number): number
  load(store: Store): Promise<void>
}

export function createPolicies(): Policies {
  /** As it was set, and as it is in force. */
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

/** Stable bucket 0 … 7 of an edge: decides whether a share of n eighths includes it. */
export const edgeBucket = (follower: number, followee: number): number =>
  Math.imul(follower ^ Math.imul(followee, 0x9e3779b1), 0x85ebca6b) >>> 29
