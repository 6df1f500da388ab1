/**
 * Ids that this process has stamped and that are still on their way into the log. This process appends nothing more below
 * the oldest of them. An append may fail with an unknown outcome; a later record of the same partition settles it, since
 * the records of a process enter the log in order: the earlier one is in the log by then, or never will be.
 */

import type { IdSource } from '../../core/ids.ts'

export interface OwnIds {
  stamped(id: number, partition: number): void
  /** The event is in the log. This settles unknown ids of the partition that are lower. */
  appended(id: number, partition: number): void
  /** The event never entered the log. */
  withdrawn(id: number, partition: number): void
  /** The append has an unknown outcome, until a later record is appended to the partition. */
  unknown(id: number, partition: number): void
  /** A record without an id was appended to the partition: this settles all unknown ids there. */
  settled(partition: number): void
  /** @returns an id up to which all of this process's events are in the log, or never will be */
  low(): number
  readonly size: number
}

/** @param onUnknown called when a partition has unknown ids: the caller appends a record there, to settle them */
export function createOwnIds(
  ids: IdSource,
  partitions: number,
  onUnknown: (partition: number) => void,
): OwnIds {
  /** In the order in which ids were given out. */
  const pending = new Set<number>()
  const unknowns: Set<number>[] = Array.from({ length: partitions }, () => new Set())

  function settle(id: number, partition: number): void {
    pending.delete(id)
    unknowns[partition].delete(id)
  }

  return {
    stamped: (id) => void pending.add(id),
    appended(id, partition) {
      settle(id, partition)
      for (const other of unknowns[partition]) if (other < id) settle(other, partition)
    },
    withdrawn: settle,
    unknown(id, partition) {
      unknowns[partition].add(id)
      // One record settles all unknown ids of the partition, so one call is enough.
      if (unknowns[partition].size === 1) onUnknown(partition)
    },
    settled(partition) {
      for (const other of unknowns[partition]) settle(other, partition)
    },
    low() {
      for (const oldest of pending) return oldest - 1
      return ids.fence()
    },
    get size() {
      return pending.size
    },
  }
}
