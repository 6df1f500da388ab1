/** What a batch of events has for effect beside its rows. */

import type { EventType } from '../events.ts'
import type { EffectsLog } from './projection.ts'

export interface Derived {
  readonly type: EventType<unknown>
  readonly key: number
  readonly body: unknown
}

export interface GatheredEffects extends EffectsLog {
  readonly derived: readonly Derived[]
  /** Faults since the last call. */
  takeFaults(): readonly unknown[]
}

export function createEffects(): GatheredEffects {
  const derived: Derived[] = []
  let faults: unknown[] = []
  return {
    derived,
    derive: (type, key, body) => void derived.push({ type: type as EventType<unknown>, key, body }),
    attempt(task) {
      const { length } = derived
      try {
        return task()
      } catch (error) {
        derived.length = length
        throw error
      }
    },
    fault: (error) => void faults.push(error),
    takeFaults() {
      if (faults.length === 0) return faults
      const taken = faults
      faults = []
      return taken
    },
  }
}
