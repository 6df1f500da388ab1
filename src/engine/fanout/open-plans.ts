/** The large fan-outs under way in this process, the oldest first, and how many there may be at once. */

import { LIMITS } from '../../core/limits.ts'
import type { OpenPlan } from './open-plan.ts'

export interface OpenPlans<F> {
  readonly size: number
  /** The oldest first. */
  all(): IterableIterator<OpenPlan<F>>
  get(id: number): OpenPlan<F> | undefined
  add(of: OpenPlan<F>): void
  remove(id: number): void
  /** Whether a share of the bound on plans, or on their chunks, is reached. A single plan never is too many. */
  isCrowded(share: number): boolean
  /** Resolves with the next `wake`. */
  woken(): Promise<void>
  wake(): void
}

export function createOpenPlans<F>(): OpenPlans<F> {
  const open = new Map<number, OpenPlan<F>>()
  const waiters: (() => void)[] = []
  let chunks = 0

  return {
    get size() {
      return open.size
    },
    all: () => open.values(),
    get: (id) => open.get(id),
    add(of) {
      open.set(of.plan.id, of)
      chunks += of.plan.chunks.length
    },
    remove(id) {
      chunks -= open.get(id)?.plan.chunks.length ?? 0
      open.delete(id)
    },
    isCrowded: (share) =>
      open.size >= LIMITS.openPlansMax * share || (open.size > 0 && chunks >= LIMITS.openChunksMax * share),
    woken: () => new Promise<void>((resolve) => void waiters.push(resolve)),
    wake() {
      for (const wake of waiters.splice(0)) wake()
    },
  }
}
