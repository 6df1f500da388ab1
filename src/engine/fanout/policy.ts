/**
 * Push or pull, for each audience by its key: an override, and a share in eighths for moving an audience gradually. An
 * event is pushed to those members whose bucket 0 to 7 lies below the share; the others pull it.
 */

import { scanAll } from '../rows/scan.ts'
import type { Store } from '../../ports/store/store.ts'
import type { TiersTable } from './tables.ts'

export const SHARES = 8
export type Tier = 'push' | 'pull'
export type TierOverride = Tier | 'auto'
/** Rows and events hold an index into this list. */
export const OVERRIDES: readonly TierOverride[] = ['auto', 'push', 'pull']

export interface KeyTier {
  readonly override: TierOverride
  /** To how many eighths of the audience events are pushed while the tier is push. */
  readonly share: number
}

const AUTO: KeyTier = { override: 'auto', share: SHARES }

export interface Tiers {
  of(key: number): KeyTier
  /** @param override an index into `OVERRIDES` */
  set(key: number, override: number, share: number): void
  /**
   * To how many eighths of its audience an event of this key is pushed; 0 means that all members pull it.
   * @param threshold without an override, audiences of so many members are pulled
   */
  shareOf(key: number, size: number, threshold: number): number
  load(store: Store): Promise<void>
}

export function createTiers(table: TiersTable): Tiers {
  const tiers = new Map<number, KeyTier>()
  const set = (key: number, override: number, share: number) => {
    if (override === 0 && share === SHARES) tiers.delete(key)
    else tiers.set(key, { override: OVERRIDES[override], share })
  }
  return {
    of: (key) => tiers.get(key) ?? AUTO,
    set,
    shareOf(key, size, threshold) {
      const { override, share } = tiers.get(key) ?? AUTO
      if (override === 'pull') return 0
      if (override === 'auto' && size >= threshold) return 0
      return share
    },
    async load(store) {
      for await (const tier of scanAll(store, table)) set(tier.number, tier.override, tier.share)
    },
  }
}

/** Bucket 0 … 7 of a member in an audience, which never changes: a share of n eighths includes the buckets below n. */
export const edgeBucket = (member: number, key: number): number =>
  Math.imul(member ^ Math.imul(key, 0x9e3779b1), 0x85ebca6b) >>> 29
