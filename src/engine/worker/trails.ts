/**
 * Where reactors are: by view, the batches that are projected and that not every reactor which holds the view has
 * finished. A batch leaves its view's trail once all of them have.
 */

import type { Projected } from './projected.ts'

/** Something that advances through the partitions of the log in order. */
export interface Advancing {
  /** Everything below this position is done. */
  doneTo(partition: number): number
}

export interface Trail {
  begin(partition: number, from: number): void
  put(projected: Projected): void
  /** Takes the batches of this partition that every follower of the trail has finished. */
  take(partition: number): readonly Projected[]
  /** Everything of the partition below this position has been taken. */
  takenTo(partition: number): number
}

/** @param followers none: a batch is finished as soon as it is put */
export function createTrail(partitions: number, followers: readonly Advancing[]): Trail {
  const waiting: Projected[][] = Array.from({ length: partitions }, () => [])
  const taken = new Array<number>(partitions).fill(0)
  return {
    begin(partition, from) {
      waiting[partition] = []
      taken[partition] = from
    },
    put: (projected) => void waiting[projected.partition].push(projected),
    take(partition) {
      let doneTo = Infinity
      for (const follower of followers) doneTo = Math.min(doneTo, follower.doneTo(partition))
      const list = waiting[partition]
      let count = 0
      while (count < list.length && list[count].next <= doneTo) count++
      if (count === 0) return []
      const done = list.splice(0, count)
      taken[partition] = done[count - 1].next
      return done
    },
    takenTo: (partition) => taken[partition],
  }
}
