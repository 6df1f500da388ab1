/** How large fan-outs are stored: the receipt with its progress, the plan, and the list of open plans. */

import { idKey } from '../../core/keys.ts'
import type { Store } from '../../ports/store/store.ts'
import type { OpenPlan } from './open-plan.ts'
import type { FanoutTables, Plan } from './tables.ts'

const PLANS_A_READ = 100
/** Longer than any log is kept, so that a replay of the event still finds that its fan-out is done. */
const CLOSED_PLAN_TTL_MS = 30 * 86_400_000

export interface PlanRows<F> {
  saveProgress(of: OpenPlan<F>): Promise<void>
  saveClosed(plan: Plan<F>, nowMs: number): Promise<void>
  /** Calls `task` with each plan that an earlier process left open. */
  eachLeftOpen(task: (plan: Plan<F>) => void): Promise<void>
  /** Calls `task` with each of these plans, or with `undefined` where it is gone, one after the other. */
  eachOf(ids: readonly number[], task: (plan: Plan<F> | undefined, i: number) => Promise<void>): Promise<void>
}

/** @param receiptsExpire whether receipts of plans go with the plans */
export function createPlanRows<F>(
  store: Store,
  { receipts, plans, openPlans }: FanoutTables<F>,
  receiptsExpire: boolean,
): PlanRows<F> {
  return {
    async saveProgress(of) {
      of.unsaved = 0
      const { plan, receipt } = of
      const version = plan.version + of.chunksDone
      const saved = {
        ...receipt,
        lanes: [...receipt.lanes],
        doneChunks: [...receipt.doneChunks],
      }
      const row = receipts.row(receipts.key(plan.id), version, saved)
      const isLast = receiptsExpire && receipt.doneAtMs > 0
      await store.write([isLast ? { ...row, expiresAtMs: receipt.doneAtMs + CLOSED_PLAN_TTL_MS } : row])
    },
    saveClosed(plan, nowMs) {
      const { id } = plan
      const version = plan.version + 1
      const expiresAtMs = nowMs + CLOSED_PLAN_TTL_MS
      return store.write([
        { ...openPlans.row(openPlans.key(id), version, { id, open: false }), expiresAtMs },
        { ...plans.row(plans.key(id), version, plan), expiresAtMs },
      ])
    },
    async eachLeftOpen(task) {
      const { partition } = openPlans.key(0)
      for (let from = ''; ;) {
        const range = { table: openPlans, partition, from, limit: PLANS_A_READ }
        const [rows] = await store.range([range])
        const states = rows.map((row) => openPlans.decode(row))
        const left = await store.get(
          states.flatMap(({ id, open: isOpen }) => (isOpen ? [plans.key(id)] : [])),
        )
        for (const row of left) if (row !== undefined) task(plans.decode(row))
        if (rows.length < PLANS_A_READ) return
        from = `${idKey(states[states.length - 1].id)}0`
      }
    },
    async eachOf(ids, task) {
      for (let at = 0; at < ids.length; at += PLANS_A_READ) {
        const rows = await store.get(ids.slice(at, at + PLANS_A_READ).map((id) => plans.key(id)))
        for (const [i, row] of rows.entries())
          await task(row === undefined ? undefined : plans.decode(row), at + i)
      }
    },
  }
}
