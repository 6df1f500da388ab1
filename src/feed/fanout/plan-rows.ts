/** How large fan-outs are stored: the receipt with its progress, the plan, and the list of open plans. */

import { idKey } from '../../core/keys.ts'
import type { Store } from '../../ports/store/store.ts'
import type { OpenPlan } from '../open-plan.ts'
import { openPlansTable, plansTable, receiptsTable, type Plan } from '../tables.ts'

export const PLANS_A_READ = 100
/** Longer than any log is kept, so that a replay of the post's event still finds that its fan-out is done. */
const CLOSED_PLAN_TTL_MS = 30 * 86_400_000

export async function saveProgress(store: Store, of: OpenPlan): Promise<void> {
  of.unsaved = 0
  const { plan, receipt } = of
  const version = plan.version + of.chunksDone
  const saved = {
    ...receipt,
    lanes: [...receipt.lanes],
    doneChunks: [...receipt.doneChunks],
  }
  await store.write([receiptsTable.row(receiptsTable.key(plan.post), version, saved)])
}

export function saveClosed(store: Store, plan: Plan, nowMs: number): Promise<void> {
  const { post } = plan
  const version = plan.version + 1
  const expiresAtMs = nowMs + CLOSED_PLAN_TTL_MS
  return store.write([
    { ...openPlansTable.row(openPlansTable.key(post), version, { post, open: false }), expiresAtMs },
    { ...plansTable.row(plansTable.key(post), version, plan), expiresAtMs },
  ])
}

/** Calls `task` with each plan that an earlier process left open. */
export async function eachLeftOpen(store: Store, task: (plan: Plan) => void): Promise<void> {
  const { partition } = openPlansTable.key(0)
  for (let from = ''; ;) {
    const range = { table: openPlansTable, partition, from, limit: PLANS_A_READ }
    const [rows] = await store.range([range])
    const states = rows.map((row) => openPlansTable.decode(row))
    const plans = await store.get(
      states.flatMap(({ post, open: isOpen }) => (isOpen ? [plansTable.key(post)] : [])),
    )
    for (const row of plans) if (row !== undefined) task(plansTable.decode(row))
    if (rows.length < PLANS_A_READ) return
    from = `${idKey(states[states.length - 1].post)}0`
  }
}
