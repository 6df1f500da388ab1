/**
 * The horizon where several processes append and several react: one for each partition of the log. A sample is the
 * least id that anybody may still append, and after that the ends of the log; once an owner has reacted to
 * everything below the end of its partition, nothing at or below the sample's id is still to come there.
 */

import type { Horizon } from './horizon.ts'

export interface Sample {
  /** Nothing at or below it is stamped, or on its way into the log. */
  readonly low: number
  /** Of the log by partition, seen after that. */
  readonly ends: readonly number[]
}

export interface HorizonShared extends Horizon {
  /** This process reacts in these partitions. */
  owns(partitions: ReadonlySet<number>): void
  sampled(sample: Sample): void
  /** How far a partition is whose owner has reacted to everything below `reacted`. */
  reached(partition: number, reacted: number): number
  /** Views have been told, by this process or another one. */
  told(partition: number, id: number): void
}

const SAMPLES_MAX = 64

export function createHorizonShared(partitions: number, laneOf: (key: number) => number): HorizonShared {
  const samples: Sample[] = []
  const open: Set<number>[] = Array.from({ length: partitions }, () => new Set())
  const lows = new Float64Array(partitions)
  let owned: ReadonlySet<number> = new Set()
  let published = new Float64Array(partitions)
  let claimable = 0

  /** Those that every owned partition has passed say nothing more. */
  function forget(): void {
    let least = Infinity
    for (const partition of owned) least = Math.min(least, lows[partition])
    while (samples.length > 0 && samples[0].low <= least) samples.shift()
  }

  return {
    get published() {
      return published
    },
    claimable: () => claimable,
    opened: (id, key) => void open[laneOf(key)].add(id),
    closed: (id, key) => void open[laneOf(key)].delete(id),
    owns(partitions) {
      owned = partitions
    },
    sampled(sample) {
      forget()
      // Who is that far behind learns of the newest only once it has reacted to all of that.
      if (samples.length === SAMPLES_MAX) samples.pop()
      samples.push(sample)
    },
    reached(partition, reacted) {
      for (const { low, ends } of samples) {
        if (ends[partition] > reacted) break
        if (low > lows[partition]) lows[partition] = low
      }
      let id = lows[partition]
      for (const other of open[partition]) if (other <= id) id = other - 1
      return id
    },
    told(partition, id) {
      if (id <= published[partition]) return
      published = published.slice()
      published[partition] = id
      claimable = published.reduce((a, b) => Math.min(a, b))
    },
  }
}
