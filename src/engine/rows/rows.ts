/**
 * The working set of one batch of events: rows are loaded in bulk, read and changed in memory in the order
 * of the events, and written once at the end. A row is changed only by an event above its version, so
 * applying a batch again changes nothing.
 */

import { assert } from '../../core/errors.ts'
import type { Row, RowKey, RowWrite, Store } from '../../ports/store/store.ts'
import type { TypedTable } from './tables.ts'

interface Slot {
  readonly key: RowKey
  value: unknown
  version: number
  decoded: boolean
  row: Row | undefined
  dirty: boolean
  expiresAtMs: number | undefined
}

const name = (key: RowKey): string => `${key.table.name}\0${key.partition}\0${key.sort}`

export interface Rows {
  /** Loads rows that are not loaded yet. */
  load(keys: readonly RowKey[]): Promise<void>
  /** The value of a loaded row as it stands now; throws for a row that nobody loaded. */
  get<V>(table: TypedTable<any, V>, key: RowKey): V | undefined
  /** Version of a loaded row; 0 when absent. */
  versionOf(key: RowKey): number
  /** Writes under `version` if that is above the row's own. Rows that are only written need no load. */
  put<V>(table: TypedTable<any, V>, key: RowKey, version: number, value: V, expiresAtMs?: number): boolean
  /** Everything that changed. */
  changes(): RowWrite[]
}

export function createRows(store: Store): Rows {
  const slots = new Map<string, Slot>()

  return {
    async load(keys) {
      const missing = new Map<string, RowKey>()
      for (const key of keys) {
        const id = name(key)
        if (!slots.has(id)) missing.set(id, key)
      }
      if (missing.size === 0) return
      const found = await store.get([...missing.values()])
      let i = 0
      for (const [id, key] of missing) {
        const row = found[i++]
        slots.set(id, {
          key,
          row,
          value: undefined,
          version: row?.version ?? 0,
          decoded: row === undefined,
          dirty: false,
          expiresAtMs: undefined,
        })
      }
    },
    get(table, key) {
      const slot = slots.get(name(key))
      assert(slot !== undefined, `row of ${key.table.name} was not loaded`)
      if (!slot.decoded && slot.row !== undefined) {
        slot.value = table.decode(slot.row)
        slot.decoded = true
      }
      return slot.value as ReturnType<typeof table.decode> | undefined
    },
    versionOf(key) {
      return slots.get(name(key))?.version ?? 0
    },
    put(_table, key, version, value, expiresAtMs) {
      const id = name(key)
      const slot = slots.get(id)
      if (slot === undefined) {
        slots.set(id, { key, value, version, decoded: true, row: undefined, dirty: true, expiresAtMs })
        return true
      }
      // Ties are the same write again, unless they are this batch's own.
      if (version < slot.version || (version === slot.version && !slot.dirty)) return false
      Object.assign(slot, { value, version, decoded: true, dirty: true, expiresAtMs })
      return true
    },
    changes() {
      const writes: RowWrite[] = []
      for (const slot of slots.values()) {
        if (!slot.dirty) continue
        const table = slot.key.table as TypedTable<any, unknown>
        const row = table.row(slot.key, slot.version, slot.value)
        writes.push(slot.expiresAtMs === undefined ? row : { ...row, expiresAtMs: slot.expiresAtMs })
      }
      return writes
    },
  }
}
