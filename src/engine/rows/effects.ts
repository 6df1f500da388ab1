/** What a batch of events has for effect beside its own rows. */

import type { Event, EventType } from '../events.ts'
import { schedule, type Scheduled } from '../timers/schedule.ts'
import type { EffectsLog } from './projection.ts'
import type { Rows } from './rows.ts'

export interface Derived {
  readonly type: EventType<unknown>
  readonly key: number
  readonly body: unknown
}

export interface Signal {
  readonly topic: string
  readonly message: Uint8Array
}

/** What is to be done once the rows of a batch stand. */
export interface Following {
  readonly derived: readonly Derived[]
  readonly scheduled: readonly Scheduled[]
  readonly signals: readonly Signal[]
}

export interface GatheredEffects extends EffectsLog, Following {
  /** The event that is applied from now on. */
  of(event: Event): void
  /** Faults since the last call. */
  takeFaults(): readonly unknown[]
}

export function createEffects(rows: Rows): GatheredEffects {
  const derived: Derived[] = []
  const scheduled: Scheduled[] = []
  const signals: Signal[] = []
  const lists: readonly unknown[][] = [derived, scheduled, signals]
  let current: Event | undefined
  let faults: unknown[] = []
  return {
    derived,
    scheduled,
    signals,
    of: (event) => void (current = event),
    derive: (type, key, body) => void derived.push({ type: type as EventType<unknown>, key, body }),
    schedule(id, dueMs, type, body) {
      const timer = schedule(rows, current as Event, { id, dueMs, type, body })
      if (timer !== undefined) scheduled.push(timer)
    },
    signal: (topic, message) => void signals.push({ topic, message }),
    attempt(task) {
      const lengths = lists.map(({ length }) => length)
      try {
        return task()
      } catch (error) {
        for (const [i, list] of lists.entries()) list.length = lengths[i]
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
