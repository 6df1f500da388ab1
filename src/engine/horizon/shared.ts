/**
 * The horizon where several processes append and react: one for each partition of the log. An owner takes samples: first
 * an id up to which every process has appended all that it ever will, then the ends of the partitions. Every event up to
 * that id lies below those ends. So when the owner has reacted to its partition up to the sampled end, the horizon of
 * the partition rises to the sampled id.
 */

import type { Horizon } from './horizon.ts'

export interface Sample {
  /** No process will append an event with this id or a lower one: they are in the log, or never will be. */
  readonly low: number
  /** By partition, the end of the log, read after `low`. */
  readonly ends: readonly number[]
}

export interface HorizonShared extends Horizon {
  /** This process owns these partitions: samples are kept until all of them have passed. */
  owns(partitions: ReadonlySet<number>): void
  sampled(sample: Sample): void
  /** @returns the horizon of the partition, now that its owner has reacted to everything below position `reacted` */
  reached(partition: number, reacted: number): number
  /** This process or another one has written the horizon `id` of the partition to the views. */
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

  /** Drops samples that every owned partition has passed. */
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
      // An owner that is far behind needs the older samples first: the new one replaces the newest.
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
