/** Changes to the push-or-pull policy: for everybody, and for one account. */

import type { EngineContext } from '../../engine/context.ts'
import type { Idempotency } from '../../engine/events.ts'
import { OVERRIDES, SHARES, type TierOverride } from '../../engine/fanout/policy.ts'
import { policyChanged, tierSet } from '../events.ts'
import type { Policies, Policy } from '../policy.ts'

export interface PolicyCommands {
  setTier(number: number, tier: TierOverride, share?: number, once?: Idempotency): Promise<void>
  /** @param check gets the policy as the change would leave it, and may throw to refuse the change */
  setPolicy(change: Partial<Policy>, once?: Idempotency, check?: (policy: Policy) => void): Promise<Policy>
}

export function createPolicyCommands({ produce }: EngineContext, policies: Policies): PolicyCommands {
  let policyChanges: Promise<unknown> = Promise.resolve()
  return {
    async setTier(number, tier, share = SHARES, once) {
      await produce(tierSet, number, { number, override: OVERRIDES.indexOf(tier), share }, once)
    },
    setPolicy(changeOf, once, check) {
      const change = async () => {
        const policy = { ...policies.current, ...changeOf }
        check?.(policy)
        await produce(policyChanged, 0, { policy: JSON.stringify(changeOf) }, once)
        return policies.current
      }
      // One after the other, so that each is checked against what the one before it left.
      const changed = policyChanges.then(change, change)
      policyChanges = changed
      return changed
    },
  }
}
