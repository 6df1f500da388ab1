/** The newest changes of a group by number, so that they can be sent again to a Redis that lost some of them. */

import type { RedisScript } from '../../drivers/redis.ts'

export interface Change {
  readonly script: RedisScript
  readonly args: readonly (string | Buffer)[]
  /** Whether it does no harm when it is repeated late; OPEN does: it would empty a timeline that has filled since. */
  readonly isRepeatable: boolean
}

export interface NumberedChange {
  readonly number: number
  readonly change: Change
}

export interface History {
  add(number: number, change: Change): void
  /** Those numbered above `number` that are still held, in order. */
  above(number: number): readonly NumberedChange[]
  clear(): void
}

const CHANGES_MAX = 64
const BYTES_MAX = 64 * 1_024

export function createHistory(): History {
  let held: (NumberedChange & { readonly bytes: number })[] = []
  let heldBytes = 0

  return {
    add(number, change) {
      const bytes = change.args.reduce((sum, arg) => sum + arg.length, 0)
      held.push({ number, change, bytes })
      heldBytes += bytes
      while (held.length > CHANGES_MAX || heldBytes > BYTES_MAX) heldBytes -= held.shift()?.bytes ?? 0
    },
    above: (number) => held.filter((made) => made.number > number),
    clear() {
      held = []
      heldBytes = 0
    },
  }
}
