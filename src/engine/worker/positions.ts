/** Saved positions of the reactors that hold only the log: everything below has been reacted to. */

import { struct, text, u32, u53 } from '../../core/codec.ts'
import { u32Key } from '../../core/keys.ts'
import { rowVersion, type Store } from '../../ports/store/store.ts'
import { defineTable } from '../rows/tables.ts'

export const reactorPositionsTable = defineTable({
  name: 'reactor_positions',
  partition: (_reactor: string, _partition: number) => 'reactors',
  sort: (reactor: string, partition: number) => `${reactor}.${u32Key(partition)}`,
  value: struct({
    reactor: text,
    partition: u32,
    /** Of the log that the position belongs to. */
    epoch: u32,
    position: u53,
  }),
})

export interface SavedPosition {
  readonly reactor: string
  readonly partition: number
  readonly position: number
}

export async function savePositions(
  store: Store,
  epoch: number,
  positions: readonly SavedPosition[],
): Promise<void> {
  const rows = positions.map(({ reactor, partition, position }) => {
    const key = reactorPositionsTable.key(reactor, partition)
    // A process that was frozen cannot take back what a later owner has saved.
    const version = rowVersion(epoch, position)
    return reactorPositionsTable.row(key, version, { reactor, partition, epoch, position })
  })
  if (rows.length > 0) await store.write(rows)
}

/**
 * @returns by partition, where the reactor goes on; 0 where the log is another one than its position belongs to,
 * `undefined` where no position is saved
 */
export async function loadPositions(
  store: Store,
  epoch: number,
  reactor: string,
  partitions: readonly number[],
): Promise<readonly (number | undefined)[]> {
  const rows = await store.get(partitions.map((partition) => reactorPositionsTable.key(reactor, partition)))
  return rows.map((row) => {
    if (row === undefined) return undefined
    const saved = reactorPositionsTable.decode(row)
    return saved.epoch === epoch ? saved.position : 0
  })
}
