/** Plans of large fan-outs. A plan is made once: later, its receipt tells by the plan's chunks what is done. */

import type { FeedContext } from '../context.ts'
import type { Graph } from '../../graph/index.ts'
import { kindOf, openPlansTable, plansTable, type Plan } from '../tables.ts'
import { rangesOf, type Outgoing } from './audience.ts'

/** @returns a function that gives the stored plan of each post, and makes and stores those that are missing */
export function createPlans({ store }: FeedContext, { activity, policies }: Graph) {
  const newPlan = ({ event, audience, share }: Outgoing): Plan => ({
    post: event.id,
    author: event.body.author,
    kind: kindOf(event.body),
    share,
    chunks: audience.flatMap(rangesOf),
    version: event.version,
    activeFromMinute: activity.minuteAgo(policies.current.active_hours * 3_600_000),
    inactiveBeforeMinute: activity.minuteAgo(policies.current.inactive_days * 86_400_000),
  })

  return async (posts: readonly Outgoing[]): Promise<Plan[]> => {
    if (posts.length === 0) return []
    const known = await store.get(posts.map(({ event }) => plansTable.key(event.id)))
    const plans = posts.map((post, i) => {
      const row = known[i]
      return row === undefined ? newPlan(post) : plansTable.decode(row)
    })
    const fresh = plans.filter((_, i) => known[i] === undefined)
    const rows = fresh.flatMap((plan) => [
      plansTable.row(plansTable.key(plan.post), plan.version, plan),
      openPlansTable.row(openPlansTable.key(plan.post), plan.version, { post: plan.post, open: true }),
    ])
    if (rows.length > 0) await store.write(rows)
    return plans
  }
}
