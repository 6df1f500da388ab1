/** Events of one batch → rows, in three steps: load in bulk, apply in order, write. */

import { RivuletError } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import { idTimeMs } from '../../core/ids.ts'
import type { RowKey, Store } from '../../ports/store/store.ts'
import type { Domain } from '../domain.ts'
import type { Event, EventType } from '../events.ts'
import { endTimer, timerKeys } from '../timers/schedule.ts'
import { createEffects, type Following, type GatheredEffects } from './effects.ts'
import { idempotencyTable, repeats, requestKey } from './idempotency.ts'
import type { Projection as Rule } from './projection.ts'
import { createRows, type Rows } from './rows.ts'

export interface Projector {
  /** @param refusal refuses every event that has a decision: its rows cannot be written, for this reason */
  project(events: readonly Event[], refusal?: string): Promise<Projection>
  /** Reads what was decided on events that are projected, and notes it on each. Others are left as they are. */
  recall(events: readonly Event[]): Promise<void>
}

export interface Projection extends Following {
  /** The events of the batch without those that have no effect: they repeat a request, or their timer has ended. */
  readonly taken: readonly Event[]
}

export interface ProjectorOptions {
  readonly store: Store
  readonly domains: readonly Domain[]
  /** A domain failed to decide on an event, which is refused for it. */
  readonly onFault: (event: Event, error: unknown) => void
}

export function createProjector({ store, domains, onFault }: ProjectorOptions): Projector {
  const byType = rulesByType(domains)
  const owners = new Map(domains.flatMap(({ name, tables }) => tables.map((table) => [table.name, name])))
  const rulesOf = (event: Event) => byType.get(event.type) ?? NO_RULES

  /** In two rounds: which rows some projections need is known only from others. */
  async function load(events: readonly Event[], rows: Rows): Promise<void> {
    const needed = keysOf(events, (event) => rulesOf(event).map((rule) => rule.needs?.(event)))
    for (const event of events) {
      if (event.idempotency !== undefined) needed.push(requestKey(event.idempotency))
      if (event.timer !== undefined) needed.push(...timerKeys(event))
    }
    await rows.load(needed)
    await rows.load(keysOf(events, (event) => rulesOf(event).map((rule) => rule.needsMore?.(event, rows))))
    for (const event of events) for (const { decides } of rulesOf(event)) decides?.check(event, rows)
  }

  function apply(event: Event, rows: Rows, effects: GatheredEffects, refusal: string | undefined): void {
    effects.of(event)
    for (const rule of rulesOf(event)) {
      rows.writeAs(rule.domain)
      if (rule.decides === undefined) rule.apply(event, rows, effects)
      else event.decision = rule.decides.decide(event, rows, effects, refusal)
    }
    rememberRequest(event, rows)
  }

  return {
    async project(events, refusal) {
      const rows = createRows(store, owners)
      const effects = createEffects(rows)
      await load(events, rows)
      const taken: Event[] = []
      for (const event of events) {
        if (isRepeated(event, rows) || !endTimer(rows, event)) continue
        taken.push(event)
        apply(event, rows, effects, refusal)
        for (const error of effects.takeFaults()) onFault(event, error)
      }
      const { first, last } = rows.changes()
      if (first.length > 0) await store.write(first)
      if (last.length > 0) await store.write(last)
      const { derived, scheduled, signals } = effects
      return { derived, scheduled, signals, taken }
    },
    async recall(events) {
      const rows = createRows(store)
      const decidesOf = (event: Event) => rulesOf(event).find(({ decides }) => decides !== undefined)?.decides
      const due = events.filter((event) => event.decision === undefined && event.type.decision !== undefined)
      await rows.load(due.flatMap((event) => decidesOf(event)?.outcomeKey(event) ?? []))
      for (const event of due) event.decision = decidesOf(event)?.recall(event, rows)
    },
  }
}

/** A projection, and whose it is. */
type DomainRule = Rule<unknown> & { readonly domain: string }

const NO_RULES: readonly DomainRule[] = []

function rulesByType(domains: readonly Domain[]): Map<EventType<unknown>, DomainRule[]> {
  const byType = new Map<EventType<unknown>, DomainRule[]>()
  for (const { events } of domains) for (const type of events) byType.set(type, [])
  for (const { name, projections } of domains) {
    for (const projection of projections) {
      const list = byType.get(projection.on)
      if (list === undefined) {
        throw new RivuletError('internal', `${name} projects ${projection.on.name}, which no domain declares`)
      }
      list.push({ ...projection, domain: name })
    }
  }
  for (const [type, rules] of byType) {
    const deciding = rules.filter(({ decides }) => decides !== undefined).length
    if (deciding !== (type.decision === undefined ? 0 : 1)) {
      throw new RivuletError(
        'internal',
        `${type.name} needs exactly one projection that decides, and has ${deciding}`,
      )
    }
  }
  return byType
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
