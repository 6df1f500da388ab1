/**
 * Fan-out on write: an event reaches everybody in its audience. Audiences of up to 10,000 members are served at once,
 * with the batch of events that the event came in (`direct.ts`). A larger one becomes a plan: chunks by fixed key ranges
 * of members, which run lane by lane in the background (`runner.ts`) and go on after a crash. An event that is not
 * pushed to every member raises the mark of its key first, so that the others pull it.
 *
 * A domain defines a fan-out by its audience and by what members get (`definition.ts`). It gives the fan-out's reactor,
 * or one of its own that calls `take`, to the engine; calls `runner.resume` when it gains partitions, and `runner.stop`
 * when it stops; and has `settle` wait for the runner, as background work.
 */

import { LIMITS } from '../../core/limits.ts'
import type { EngineContext } from '../context.ts'
import { isEvent, type Reactor } from '../domain.ts'
import type { Event } from '../events.ts'
import { sizeOf } from './audience.ts'
import type { FanoutDefinition } from './definition.ts'
import { createDirect } from './direct.ts'
import { createHold, type Hold } from './hold.ts'
import { newCounts, type Counts, type Outgoing } from './lanes.ts'
import { createPlans } from './plans.ts'
import { SHARES } from './policy.ts'
import { createMarkRaiser } from './raise-marks.ts'
import { receiptRow, writeReceipts } from './receipts.ts'
import { createChunkRunner, type ChunkRunner } from './runner.ts'
import { createFanoutStats, type FanoutStats } from './stats.ts'
import type { Plan, Receipt } from './tables.ts'

export interface Fanout<B, F = any> {
  readonly reactor: Reactor
  /** In log order; resolves when ordinary audiences are served and large ones are durably planned. */
  take(events: readonly Event<B>[]): Promise<void>
  /** The reactor was given up on this event: raises the mark of its key, so that everybody pulls it. */
  buried(event: Event): Promise<void>
  readonly runner: ChunkRunner<F>
  /** From the fan-out under way in this process, else as it is stored. */
  receipt(id: number): Promise<Receipt | undefined>
  readonly stats: FanoutStats
}

export function defineFanout<B, F>(context: EngineContext, definition: FanoutDefinition<B, F>): Fanout<B, F> {
  const { env, store } = context
  const { name, on, view, pull, lanes, tables, directMax = LIMITS.directFollowersMax } = definition
  const stats = createFanoutStats(env)
  const hold = createHold(context, view)
  const kindOf = ({ event }: Outgoing<B>) => definition.kindOf?.(event) ?? 0
  const direct = createDirect(env, definition, kindOf, stats)
  const runner = createChunkRunner(context, definition, hold, stats)
  const raiseMarks = pull === undefined ? undefined : createMarkRaiser(context, pull, hold)
  const plansOf = createPlans(store, definition, kindOf)
  const outgoingOf = createOutgoing(definition)

  async function take(events: readonly Event<B>[]): Promise<void> {
    const outgoing = await outgoingOf(events)
    if (outgoing.length === 0) return
    await raiseMarks?.(outgoing)
    const [pulled, ordinary, large]: Outgoing<B>[][] = [[], [], []]
    for (const one of outgoing)
      (one.share === 0 ? pulled : sizeOf(one.parts) <= directMax ? ordinary : large).push(one)
    const counts = await direct.serve(ordinary)
    await keepReceipts(pulled, ordinary, counts)
    stats.events += outgoing.length
    for (const { event } of pulled) stats.arrived(event.id)
    for (const { event } of ordinary) stats.arrived(event.id)
    await addPlans(runner, hold, await plansOf(large))
  }

  async function buried(event: Event): Promise<void> {
    if (isEvent(event, on)) await raiseMarks?.([{ event, parts: [], share: 0 }])
  }

  async function keepReceipts(
    pulled: readonly Outgoing<B>[],
    ordinary: readonly Outgoing<B>[],
    counts: readonly Counts[],
  ): Promise<void> {
    if (definition.receipts !== 'kept') return
    const nobody = { ...newCounts(lanes.names), doneAtMs: env.wallMs() }
    const receipts = pulled.map((one) => receiptRow(tables, one, nobody))
    ordinary.forEach((one, i) => receipts.push(receiptRow(tables, one, counts[i])))
    await writeReceipts(context, receipts, [...pulled, ...ordinary])
  }

  return {
    reactor: {
      name,
      takes: [on],
      holds: view === undefined ? 'log' : [view.name],
      react: (events) => take(events.filter((event) => isEvent(event, on))),
      buried,
    },
    take,
    buried,
    runner,
    async receipt(id) {
      const open = runner.receipt(id)
      if (open !== undefined) return open
      const [row] = await store.get([tables.receipts.key(id)])
      return row === undefined ? undefined : tables.receipts.decode(row)
    },
    stats,
  }
}

async function addPlans<F>(runner: ChunkRunner<F>, hold: Hold, plans: readonly Plan<F>[]): Promise<void> {
  for (const plan of plans) {
    hold.opened(plan.id, plan.key)
    await runner.add(plan).catch((error: unknown) => {
      // The worker retries the whole batch. By then the audience may be small enough to need no plan, and nobody
      // would close this one: the horizon must not wait for it.
      hold.closed(plan.id, plan.key)
      throw error
    })
  }
}

/** @returns a function that reads the audiences of events, and decides to what share of them each is pushed */
function createOutgoing<B>(definition: FanoutDefinition<B, any>) {
  const { audience, pull } = definition
  return async (batch: readonly Event<B>[]): Promise<Outgoing<B>[]> => {
    const events = batch.filter((event) => definition.concerns?.(event) ?? true)
    if (events.length === 0) return []
    const parts = await audience.partsOf(events.map(({ key }) => key))
    return events.map((event, i) => {
      const share = pull === undefined ? SHARES : pull.shareOf(event.key, sizeOf(parts[i]))
      return { event, parts: parts[i], share }
    })
  }
}
