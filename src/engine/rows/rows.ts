/**
 * The rows of one batch of events: loaded in bulk, read and changed in memory in the order of the events, and written
 * at the end. A row is changed only by an event above its version, so applying a batch again changes nothing.
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
  /** Written after everything else of the batch stands. */
  last: boolean
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
  /**
   * As `put`, for a row that is written only once every row that was `put` stands. After a crash between the two writes
   * it is as if nothing had been decided: the events are applied again from the row as it was.
   */
  putLast<V>(table: TypedTable<any, V>, key: RowKey, version: number, value: V): boolean
  /** From now on this domain writes; it may write tables of its own and of the engine only. */
  writeAs(domain: string | undefined): void
  /** Runs a task and keeps its changes only if it returns; when it throws, every row is as before. */
  attempt<T>(task: () => T): T
  /** Rows that have changed, in the order in which they are to be written. */
  changes(): { readonly first: readonly RowWrite[]; readonly last: readonly RowWrite[] }
}

/** @param owners the domains of tables; tables that it does not name are the engine's */
export function createRows(store: Store, owners: ReadonlyMap<string, string> = new Map()): Rows {
  const slots = new Map<string, Slot>()
  /** What undoes the changes of an attempt under way. */
  let undo: (() => void)[] | undefined
  let writer: string | undefined

  /** Every row of every event passes here: field by field, without an object on the way. */
  function write(
    key: RowKey,
    version: number,
    value: unknown,
    last: boolean,
    expiresAtMs: number | undefined,
  ): boolean {
    const owner = owners.get(key.table.name)
    if (owner !== undefined && owner !== writer)
      assert(false, `${key.table.name} is written by ${owner} alone`)
    const id = name(key)
    const slot = slots.get(id)
    if (slot === undefined) {
      slots.set(id, { key, row: undefined, value, version, decoded: true, dirty: true, last, expiresAtMs })
      undo?.push(() => void slots.delete(id))
      return true
    }
    // An equal version is the same write again, unless it is this batch's own.
    if (version < slot.version || (version === slot.version && !slot.dirty)) return false
    if (undo !== undefined) undo.push(restoring(slot))
    slot.value = value
    slot.version = version
    slot.decoded = true
    slot.dirty = true
    slot.last = last
    slot.expiresAtMs = expiresAtMs
    return true
  }

  return {
    load: (keys) => loadSlots(store, slots, keys),
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
    put: (_table, key, version, value, expiresAtMs) => write(key, version, value, false, expiresAtMs),
    putLast: (_table, key, version, value) => write(key, version, value, true, undefined),
    writeAs: (domain) => void (writer = domain),
    attempt(task) {
      const steps: (() => void)[] = []
      undo = steps
      try {
        return task()
      } catch (error) {
        for (const step of steps.reverse()) step()
        throw error
      } finally {
        undo = undefined
      }
    },
    changes: () => changesOf(slots.values()),
  }
}

/** @returns a function that makes the slot what it is now */
function restoring(slot: Slot): () => void {
  const before = { ...slot }
  return () => void Object.assign(slot, before)
}

async function loadSlots(store: Store, slots: Map<string, Slot>, keys: readonly RowKey[]): Promise<void> {
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
      last: false,
      expiresAtMs: undefined,
    })
  }
}

function changesOf(slots: Iterable<Slot>): ReturnType<Rows['changes']> {
  const first: RowWrite[] = []
  const last: RowWrite[] = []
  for (const slot of slots) {
    if (!slot.dirty) continue
    const table = slot.key.table as TypedTable<any, unknown>
    const row = table.row(slot.key, slot.version, slot.value)
    const written = slot.expiresAtMs === undefined ? row : { ...row, expiresAtMs: slot.expiresAtMs }
    if (slot.last) last.push(written)
    else first.push(written)
  }
  return { first, last }
}
