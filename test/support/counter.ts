/** A domain for tests of decisions: each key has a counter, and each request that takes a number gets the next one. */

import { createHash } from 'node:crypto'
import { optional, struct, text, u32, u53 } from '../../src/core/codec.ts'
import { idKey } from '../../src/core/keys.ts'
import type { DomainSpec, Reactor } from '../../src/engine/domain.ts'
import { createEngine, type Engine } from '../../src/engine/engine.ts'
import { defineEvent, defineRequest, type Decision } from '../../src/engine/events.ts'
import { decided, defineOrder, refuse } from '../../src/engine/rows/order.ts'
import { projection } from '../../src/engine/rows/projection.ts'
import { defineTable } from '../../src/engine/rows/tables.ts'
import type { SharedOptions } from '../../src/engine/processes/shared.ts'
import { NO_HOST } from './alarms.ts'
import { wholePorts, type RivuletPorts } from '../../src/app/rivulet.ts'

const number = struct({ seq: u53 })

/** Log key: `key`. `mode`: 0 takes a number, 1 opens the counter to the actor, 2 closes it, 3 is a bug of the domain. */
export const taken = defineRequest(
  210,
  'number_taken',
  struct({ key: u53, actor: u32, request: optional(text), mode: u32, content: text }),
  number,
)
/** Derived from `taken`, and appended under another log key: a number was given out. */
export const told = defineEvent(211, 'number_told', struct({ key: u53, seq: u53 }))

export const WINDOW_MS = 7 * 86_400_000

export const counters = defineOrder({
  name: 'counter',
  partition: (key) => idKey(key),
  state: number,
  decision: number,
  windowMs: WINDOW_MS,
})
export const openTable = defineTable({
  name: 'counter_open',
  prefix: 'o',
  partition: (key: number, _actor: number) => idKey(key),
  sort: (_key, actor) => String(actor),
  value: struct({ on: u32 }),
})
/** In another store partition than the counter, as the rows of messages would be. */
export const numbersTable = defineTable({
  name: 'counter_numbers',
  partition: (key: number, seq: number) => `${idKey(key)}.${Math.floor(seq / 10)}`,
  sort: (_key, seq) => idKey(seq),
  value: struct({ event: u53, actor: u32, content: text }),
})
export const toldTable = defineTable({
  name: 'counter_told',
  partition: (key: number) => idKey(key),
  value: struct({ highest: u53 }),
})

const TAKE = 0
const CLOSE = 2
const FAULT = 3

const onTaken = decided({
  order: counters,
  on: taken,
  request: ({ body: { actor, request, content } }) => ({
    actor,
    id: request,
    hash: createHash('sha256').update(content).digest('base64url'),
  }),
  needs: ({ body: { key, actor } }) => [openTable.key(key, actor)],
  decide({ body: { key, actor, mode }, version }, { state, rows }) {
    const seq = state?.seq ?? 0
    const row = openTable.key(key, actor)
    if (mode !== TAKE) {
      rows.putLast(openTable, row, version, { on: mode === CLOSE ? 0 : 1 })
      if (mode === FAULT) throw new TypeError('a bug of the domain')
      return { state: { seq }, decision: { seq } }
    }
    if (rows.get(openTable, row)?.on !== 1) throw refuse('closed')
    return { state: { seq: seq + 1 }, decision: { seq: seq + 1 } }
  },
  apply({ id, body: { key, actor, mode, content }, version }, { seq }, rows, effects) {
    if (mode !== TAKE) return
    if (content === 'too much')
      rows.put(numbersTable, numbersTable.key(key, seq), version, tooMuch(id, actor))
    else rows.put(numbersTable, numbersTable.key(key, seq), version, { event: id, actor, content })
    effects.derive(told, key + 1_000_000, { key, seq })
  },
})

const tooMuch = (event: number, actor: number) => ({ event, actor, content: 'x'.repeat(100) })

const onTold = projection({
  on: told,
  needs: ({ body }) => [toldTable.key(body.key)],
  apply({ body: { key, seq }, version }, rows) {
    const highest = Math.max(seq, rows.get(toldTable, toldTable.key(key))?.highest ?? 0)
    rows.put(toldTable, toldTable.key(key), version, { highest })
  },
})

export interface Counter {
  readonly engine: Engine
  readonly notices: string[]
  readonly fatal: unknown[]
  take(key: number, actor: number, request?: string, content?: string): Promise<Decision<{ seq: number }>>
  set(key: number, actor: number, mode: number): Promise<void>
}

export function createCounter(
  ports: RivuletPorts,
  reactors: readonly Reactor[] = [],
  shared?: SharedOptions,
  onFatal?: (error: unknown) => void,
): Counter {
  const notices: string[] = []
  const fatal: unknown[] = []
  const domain: DomainSpec<undefined> = {
    name: 'counter',
    tags: [210, 211],
    events: [taken, told],
    tables: [...counters.tables, openTable, numbersTable, toldTable],
    create: () => ({ api: undefined, projections: [onTaken, onTold], reactors }),
  }
  const engine = createEngine(
    {
      ...wholePorts(ports),
      shared,
      onFatal(error) {
        fatal.push(error)
        onFatal?.(error)
      },
      onNotice: (notice) => notices.push(notice),
    },
    [domain],
    NO_HOST,
  )
  return {
    engine,
    notices,
    fatal,
    async take(key, actor, request, content = '') {
      const { decision } = await engine.produce(taken, key, { key, actor, request, mode: TAKE, content })
      if (decision === undefined) throw new Error('a number was asked for, and no decision came')
      return decision
    },
    async set(key, actor, mode) {
      await engine.produce(taken, key, { key, actor, request: undefined, mode, content: '' })
    },
  }
}
