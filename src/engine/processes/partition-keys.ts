/** For what belongs to a partition of the log, and to no key of its own. */

import type { Log } from '../../ports/log/log.ts'

/** For each partition a key that falls into it. */
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
