/** A batch of one partition whose rows stand. */

import type { Event } from '../events.ts'

export interface Projected {
  readonly partition: number
  /** The batch covers every position from `from` up to, and not including, `next`. */
  readonly from: number
  readonly next: number
  /** Events of the batch whose rows stand, in log order. */
  readonly events: readonly Event[]
  /** Ids of all events of the batch, also of those that were passed over. */
  readonly ids: readonly number[]
}
