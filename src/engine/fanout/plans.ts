/**
 * Plans of large fan-outs. A plan is made once: later, its receipt tells by the plan's chunks what is done. Before its
 * first chunk is served, the plan and its row in the list of open plans both stand, so that a restart finds it there.
 */

import type { RowWrite, Store } from '../../ports/store/store.ts'
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

  /** Both rows of a plan that is new; of one that was made before, the row that a crash kept from being written. */
  function rowsOf(plan: Plan<F>, isNew: boolean, hasOpenRow: boolean): RowWrite[] {
    const { id, version } = plan
    const open = openPlans.row(openPlans.key(id), version, { id, open: true })
    if (isNew) return [plans.row(plans.key(id), version, plan), open]
    return hasOpenRow ? [] : [open]
  }

  return async (outgoing: readonly Outgoing<B>[]): Promise<Plan<F>[]> => {
    if (outgoing.length === 0) return []
    const known = await store.get(outgoing.flatMap(({ event: { id } }) => [plans.key(id), openPlans.key(id)]))
    const rows: RowWrite[] = []
    const all = outgoing.map((of, i) => {
      const [row, openRow] = [known[2 * i], known[2 * i + 1]]
      const plan = row === undefined ? newPlan(of) : plans.decode(row)
      rows.push(...rowsOf(plan, row === undefined, openRow !== undefined))
      return plan
    })
    if (rows.length > 0) await store.write(rows)
    return all
  }
}
