/**
 * Decisions that are made once. An order is a sequence of requests of one key, such as the messages of a channel: each
 * is decided from the state that the requests before it have left, and the answer (a dense number, or a refusal) must
 * be the same after a crash, for a process that was frozen, and for whoever reads the log again, although rows are
 * newer by then.
 *
 * Two rows make that so. The head holds the state and, as its version, the position of the last request that was
 * decided; it is written after every other row of the batch stands. An outcome, one a request, is written before the
 * head. So a request above the head's position has never been decided, and one at or below it never is again: its
 * answer is read from its outcome.
 *
 * `decide` may read the state, outcomes, and rows that were written by `putLast` in the head's own partition: these
 * change together with the head. A decision that read any other row could differ when it is made again after a crash
 * between the two writes.
 */

import { createHash } from 'node:crypto'
import { optional, struct, text, u53, type Codec } from '../../core/codec.ts'
import { assert, RivuletError } from '../../core/errors.ts'
import { idTimeMs } from '../../core/ids.ts'
import type { RowKey } from '../../ports/store/store.ts'
import type { Decision, Event, EventType } from '../events.ts'
import type { Effects, EffectsLog, Projection } from './projection.ts'
import type { Rows } from './rows.ts'
import { defineTable, type TypedTable } from './tables.ts'

export interface OrderOptions<S, D> {
  /** Begins the names of its two tables, `NAME_heads` and `NAME_outcomes`. */
  readonly name: string
  /** Store partition of the head of a key. */
  readonly partition: (key: number) => string
  readonly state: Codec<S>
  readonly decision: Codec<D>
  /**
   * For how long a repeated request is recognised, by the time of the key's own events: not by any clock, and not by
   * how long the store keeps a row.
   */
  readonly windowMs: number
}

type Head<S> = { readonly timeMs: number; readonly state: S | undefined }
type Outcome<D> = {
  readonly event: number
  readonly hash: string
  readonly timeMs: number
  readonly decision: D
}

export interface Order<S, D> {
  readonly heads: TypedTable<[key: number], Head<S>>
  readonly outcomes: TypedTable<[key: number, actor: number, request: string], Outcome<D>>
  readonly windowMs: number
  readonly tables: readonly TypedTable<any, any>[]
}

/** Who sent a request, its name (chosen by the sender, or left out), and a hash of its content. */
export interface Request {
  readonly actor: number
  readonly id: string | undefined
  readonly hash: string
}

/** What `decide` may look at. */
export interface Deciding<S> {
  /** As the requests before this one have left it; `undefined` for the first. */
  readonly state: S | undefined
  /** The time of the key: of its latest event so far, this one included. It never goes back. */
  readonly timeMs: number
  readonly rows: Pick<Rows, 'get' | 'putLast'>
}

export interface DecisionOptions<B, S, D> {
  readonly order: Order<S, D>
  readonly on: EventType<B, D>
  request(event: Event<B>): Request
  /** Rows in the head's partition that `decide` reads. */
  needs?(event: Event<B>): readonly RowKey[]
  /** @throws `refuse(…)`; any other error refuses the request, too */
  decide(event: Event<B>, on: Deciding<S>): { readonly state: S; readonly decision: D }
  /** Writes rows and derives events from the decision alone. Runs again whenever the event is applied again. */
  apply?(event: Event<B>, decision: D, rows: Rows, effects: Effects): void
}

/** Outcomes stay in the store longer than the window, so that clocks which are apart shorten no window. */
const KEPT_WINDOWS = 2
const REFUSED = Symbol('refused')

/** Thrown by `decide`: the request is refused for this reason. */
export const refuse = (reason: string): Error => Object.assign(new Error(reason), { [REFUSED]: true })

const isRefusal = (error: unknown): error is Error => error instanceof Error && REFUSED in error

export function defineOrder<S, D>(options: OrderOptions<S, D>): Order<S, D> {
  const { name, partition, state, decision, windowMs } = options
  const heads = defineTable({
    name: `${name}_heads`,
    partition,
    value: struct({ timeMs: u53, state: optional(state) }),
  }) as Order<S, D>['heads']
  const outcomes = defineTable({
    name: `${name}_outcomes`,
    partition: (key: number, actor: number, _request: string) => `${partition(key)}.${actor}`,
    sort: (_key: number, _actor: number, request: string) => request,
    value: struct({ event: u53, hash: text, timeMs: u53, decision }),
  }) as unknown as Order<S, D>['outcomes']
  return { heads, outcomes, windowMs, tables: [heads, outcomes] }
}

/** A sort key has few characters and a request's name may have many. */
const shortened = (request: string): string => createHash('sha256').update(request).digest('base64url')

export function decided<B, S, D>(options: DecisionOptions<B, S, D>): Projection<B> {
  const { order, on, needs = () => [] } = options
  const outcomes = createOutcomes(options)
  const make = createMaking(options, outcomes)
  const headKey = (event: Event<B>) => order.heads.key(event.key)
  const isDecided = (event: Event<B>, rows: Rows) => rows.versionOf(headKey(event)) >= event.version

  /** Every owner that applies the event finds the same error: it takes effect neither now nor later. */
  function attempt(event: Event<B>, head: Head<S>, rows: Rows, effects: EffectsLog): Decision<D> {
    try {
      return effects.attempt(() => rows.attempt(() => make(event, head, rows, effects)))
    } catch (error) {
      if (isRefusal(error)) return { outcome: 'refused', reason: error.message }
      effects.fault(error)
      return { outcome: 'refused', reason: 'internal' }
    }
  }

  return {
    on,
    needs: (event) => [headKey(event), outcomes.key(event)],
    // After the head: rows that are read later than it are never older.
    needsMore: (event, rows) => (isDecided(event, rows) ? [] : needs(event)),
    apply: () => undefined,
    decides: {
      outcomeKey: outcomes.key,
      recall: outcomes.recall,
      check(event, rows) {
        const version = rows.versionOf(headKey(event))
        if (isDecided(event, rows) || needs(event).every((key) => rows.versionOf(key) <= version)) return
        throw new RivuletError('unavailable', `${order.heads.name} is being written by another process`)
      },
      decide(event, rows, effects, refusal) {
        if (isDecided(event, rows)) {
          const decision = outcomes.recall(event, rows)
          if (decision.outcome === 'made') options.apply?.(event, decision.value, rows, effects)
          return decision
        }
        const before = rows.get(order.heads, headKey(event))
        const timeMs = Math.max(before?.timeMs ?? 0, idTimeMs(event.id))
        const head = { timeMs, state: before?.state }
        const decision: Decision<D> =
          refusal === undefined
            ? attempt(event, head, rows, effects)
            : { outcome: 'refused', reason: refusal }
        if (decision.outcome !== 'made') rows.putLast(order.heads, headKey(event), event.version, head)
        return decision
      },
    },
  }
}

type Outcomes<B, D> = ReturnType<typeof createOutcomes<B, unknown, D>>

/** What was decided before. */
function createOutcomes<B, S, D>({ order, request }: DecisionOptions<B, S, D>) {
  const key = (event: Event<B>): RowKey => {
    const { actor, id = `#${event.id}` } = request(event)
    return order.outcomes.key(event.key, actor, shortened(id))
  }
  const repeated = (event: Event<B>, { event: of, hash, decision: value }: Outcome<D>): Decision<D> => ({
    outcome: 'repeated',
    of,
    isSame: hash === request(event).hash,
    value,
  })
  return {
    key,
    recall(event: Event<B>, rows: Rows): Decision<D> {
      const outcome = rows.get(order.outcomes, key(event))
      // The outcome of a later event: had this one been accepted, the outcome would be its own.
      if (outcome === undefined || rows.versionOf(key(event)) > event.version) {
        return { outcome: 'refused', reason: undefined }
      }
      if (outcome.event === event.id) return { outcome: 'made', value: outcome.decision }
      return repeated(event, outcome)
    },
    /** @returns the answer, where an earlier event of the log carried out this request within the window */
    repeats(event: Event<B>, timeMs: number, rows: Rows): Decision<D> | undefined {
      const outcome = rows.get(order.outcomes, key(event))
      // An outcome of this very event, or of a later one, was left by an attempt that a crash cut short.
      if (outcome === undefined || rows.versionOf(key(event)) >= event.version) return undefined
      return timeMs - outcome.timeMs <= order.windowMs ? repeated(event, outcome) : undefined
    },
    put(event: Event<B>, timeMs: number, decision: D, rows: Rows): void {
      const value = { event: event.id, hash: request(event).hash, timeMs, decision }
      const expiresAtMs = idTimeMs(event.id) + KEPT_WINDOWS * order.windowMs
      rows.put(order.outcomes, key(event), event.version, value, expiresAtMs)
    },
  }
}

/** @returns a function that decides on an event for the first time; what it throws refuses the event */
function createMaking<B, S, D>(options: DecisionOptions<B, S, D>, outcomes: Outcomes<B, D>) {
  const { order, on } = options

  /** Rows outside of the head's partition could be of another moment than the head. */
  function within(partition: string, rows: Rows): Deciding<S>['rows'] {
    const check = (key: RowKey) =>
      assert(key.partition === partition, `${on.name} decides by rows of the partition of its head`)
    return {
      get: (table, key) => (check(key), rows.get(table, key)),
      putLast: (table, key, version, value) => (check(key), rows.putLast(table, key, version, value)),
    }
  }

  return (event: Event<B>, head: Head<S>, rows: Rows, effects: Effects): Decision<D> => {
    const { timeMs } = head
    const before = outcomes.repeats(event, timeMs, rows)
    if (before !== undefined) return before
    const key = order.heads.key(event.key)
    const deciding = { state: head.state, timeMs, rows: within(key.partition, rows) }
    const { state, decision } = options.decide(event, deciding)
    outcomes.put(event, timeMs, decision, rows)
    options.apply?.(event, decision, rows, effects)
    rows.putLast(order.heads, key, event.version, { timeMs, state })
    return { outcome: 'made', value: decision }
  }
}
