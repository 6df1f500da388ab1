/** Plans of large fan-outs. A plan is made once: later, its receipt tells by the plan's chunks what is done. */

import type { Store } from '../../ports/store/store.ts'
import { rangesOf } from './audience.ts'
import type { FanoutDefinition } from './definition.ts'
import type { Outgoing } from './lanes.ts'
import type { Plan } from './tables.ts'

/** @returns a function that gives the stored plan of each event, and makes and stores those that are missing */
export function createPlans<B, F>(
  store: Store,
  { tables: { plans, openPlans }, lanes }: FanoutDefinition<B, F>,
  kindOf: (of: Outgoing<B>) => number,
) {
  const newPlan = (of: Outgoing<B>): Plan<F> => ({
    id: of.event.id,
    key: of.event.key,
    kind: kindOf(of),
    share: of.share,
    chunks: of.parts.flatMap(rangesOf),
    version: of.event.version,
    frozen: lanes.freeze(),
  })

  return async (outgoing: readonly Outgoing<B>[]): Promise<Plan<F>[]> => {
    if (outgoing.length === 0) return []
    const known = await store.get(outgoing.map(({ event }) => plans.key(event.id)))
    const all = outgoing.map((of, i) => {
      const row = known[i]
      return row === undefined ? newPlan(of) : plans.decode(row)
    })
    const fresh = all.filter((_, i) => known[i] === undefined)
    const rows = fresh.flatMap((plan) => [
      plans.row(plans.key(plan.id), plan.version, plan),
      openPlans.row(openPlans.key(plan.id), plan.version, { id: plan.id, open: true }),
    ])
    if (rows.length > 0) await store.write(rows)
    return all
  }
}
