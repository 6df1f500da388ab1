/**
 * Ids that this process has stamped and that are still on their way into the log. Below the oldest of them nothing
 * of this process is to come. One whose outcome is unknown is settled by a later record of its partition: the log
 * takes what this process appends in order, or never.
 */

import type { IdSource } from '../../core/ids.ts'

export interface OwnIds {
  stamped(id: number, partition: number): void
  /** It stands in the log; what was stamped for the partition before it does, too, or never will. */
  appended(id: number, partition: number): void
  /** It never entered the log. */
  withdrawn(id: number, partition: number): void
  /** Nobody knows, until something later is appended to the partition. */
  unknown(id: number, partition: number): void
  /** Something without an id was appended to the partition, after all that is unknown there. */
  settled(partition: number): void
  /** Up to it, everything is settled. */
  low(): number
  readonly size: number
}

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
      // What settles one settles all.
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
