/** Events of one batch → rows, in three steps: load in bulk, apply in order, write once. */

import { RivuletError } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import { idTimeMs } from '../../core/ids.ts'
import type { RowKey, Store } from '../../ports/store/store.ts'
import type { Domain } from '../domain.ts'
import type { Event, EventType } from '../events.ts'
import type { Effects, Projection as Rule } from './projection.ts'
import { createRows, type Rows } from './rows.ts'
import { idempotencyTable, repeats, requestKey } from './idempotency.ts'

export interface Derived {
  readonly type: EventType<unknown>
  readonly key: number
  readonly body: unknown
}

export interface Projector {
  (events: readonly Event[]): Promise<Projection>
}

export interface Projection {
  /** What other keys must be told. */
  readonly derived: readonly Derived[]
  /** Without those that repeat a request which another event stands for. */
  readonly taken: readonly Event[]
}

export function createProjector(store: Store, domains: readonly Domain[]): Projector {
  const byType = new Map<EventType<unknown>, Rule<unknown>[]>()
  for (const domain of domains) {
    for (const type of domain.events) byType.set(type, [])
    for (const projection of domain.projections) {
      const list = byType.get(projection.on)
      if (list === undefined) throw new RivuletError('internal', `${domain.name} projects a foreign event`)
      list.push(projection)
    }
  }
  const projectionsOf = (event: Event) => byType.get(event.type) ?? []

  return async (events) => {
    const rows = createRows(store)
    const derived: Derived[] = []
    const effects: Effects = {
      derive: (type, key, body) => derived.push({ type: type as EventType<unknown>, key, body }),
    }
    const needed = keysOf(events, (event) => projectionsOf(event).map((p) => p.needs?.(event)))
    for (const { idempotency } of events) if (idempotency !== undefined) needed.push(requestKey(idempotency))
    await rows.load(needed)
    await rows.load(keysOf(events, (event) => projectionsOf(event).map((p) => p.needsMore?.(event, rows))))
    const taken: Event[] = []
    for (const event of events) {
      if (isRepeated(event, rows)) continue
      taken.push(event)
      for (const projection of projectionsOf(event)) projection.apply(event, rows, effects)
      rememberRequest(event, rows)
    }
    const changes = rows.changes()
    if (changes.length > 0) await store.write(changes)
    return { derived, taken }
  }
}

function keysOf(
  events: readonly Event[],
  needs: (event: Event) => readonly (readonly RowKey[] | undefined)[],
): RowKey[] {
  const keys: RowKey[] = []
  for (const event of events) {
    for (const some of needs(event)) if (some !== undefined) keys.push(...some)
  }
  return keys
}

function isRepeated(event: Event, rows: Rows): boolean {
  const { idempotency } = event
  return idempotency !== undefined && repeats(event, rows.get(idempotencyTable, requestKey(idempotency)))
}

function rememberRequest(event: Event, rows: Rows): void {
  const { idempotency } = event
  if (idempotency === undefined) return
  const key = requestKey(idempotency)
  const expiresAtMs = idTimeMs(event.id) + LIMITS.idempotencyTtlMs
  const value = { hash: idempotency.hash, eventId: event.id, answer: undefined, logKey: event.key }
  rows.put(idempotencyTable, key, event.version, value, expiresAtMs)
}
