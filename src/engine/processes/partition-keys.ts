import type { Log } from '../../ports/log/log.ts'

/** A log key for each partition, for records that belong to a partition and have no key of their own. */
export function partitionKeys(log: Pick<Log, 'partitions' | 'partitionOf'>): number[] {
  const keys = new Array<number>(log.partitions)
  for (let key = 0, found = 0; found < log.partitions; key++) {
    const partition = log.partitionOf(key)
    if (keys[partition] !== undefined) continue
    keys[partition] = key
    found++
  }
  return keys
}
