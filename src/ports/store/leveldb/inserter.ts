/**
 * `insertIfAbsent` for LevelDB. Calls that arrive while a group is being synced form the next group, so that a group
 * costs one look-up and one sync; of two calls with the same key, the first wins.
 *
 * A synced batch stays: LevelDB drops its write-ahead file only after the rows are in a synced table. wal.ts names the
 * cases in which such rows are cut nevertheless.
 */

import type { LevelDb } from './open.ts'
import { createValueEncoder, rowKey, type ValueEncoder, valueOf } from './codec.ts'
import { createSerialQueue, QueuedTask } from '../serial-queue.ts'
import type { Inserted, RowInsert } from '../store.ts'

export interface LevelInserter {
  insert(rows: readonly RowInsert[]): Promise<readonly Inserted[]>
}

const SHARED_ROWS_MAX = 4_096

export function createLevelInserter(db: LevelDb): LevelInserter {
  const queue = createSerialQueue()
  const encodeValue = createValueEncoder()
  return {
    async insert(rows) {
      if (rows.length === 0) return []
      const last = queue.lastWaiting()
      const group =
        last instanceof InsertGroup && last.hasRoom ? last : queue.add(new InsertGroup(db, encodeValue))
      const first = group.add(rows)
      await group.done
      return group.results.slice(first, first + rows.length)
    },
  }
}

class InsertGroup extends QueuedTask {
  readonly results: Inserted[] = []
  readonly #db: LevelDb
  readonly #encodeValue: ValueEncoder
  readonly #rows: RowInsert[] = []

  constructor(db: LevelDb, encodeValue: ValueEncoder) {
    super()
    this.#db = db
    this.#encodeValue = encodeValue
  }

  get hasRoom(): boolean {
    return this.#rows.length < SHARED_ROWS_MAX
  }

  /** @returns the index in `results` at which the results of these rows begin */
  add(rows: readonly RowInsert[]): number {
    const first = this.#rows.length
    for (const row of rows) this.#rows.push(row)
    return first
  }

  async run(): Promise<void> {
    const keys = this.#rows.map(rowKey)
    const winners = await this.#readStored(keys)
    const batch = this.#db.batch()
    for (const [index, key] of keys.entries()) {
      const winner = winners.get(key)
      const value = winner ?? this.#rows[index].value
      this.results.push({ inserted: winner === undefined, value })
      if (winner !== undefined) continue
      winners.set(key, value)
      batch.put(key, this.#encodeValue(0, value, undefined))
    }
    // Rows that were there before are durable: their group was synced before a look-up could find them.
    if (batch.length === 0) await batch.close()
    else await batch.write({ sync: true })
  }

  async #readStored(keys: string[]): Promise<Map<string, Uint8Array>> {
    const stored = await this.#db.getMany(keys)
    const values = new Map<string, Uint8Array>()
    for (const [index, value] of stored.entries()) {
      if (value !== undefined) values.set(keys[index], valueOf(value))
    }
    return values
  }
}
