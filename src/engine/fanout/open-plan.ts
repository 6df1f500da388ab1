/** A large fan-out under way: its plan, its receipt, and the set of (lane, chunk) that are done. */

import type { LaneSelection } from './lanes.ts'
import type { Plan, Receipt } from './tables.ts'

export interface OpenPlan<F = unknown> {
  readonly plan: Plan<F>
  readonly selection: LaneSelection
  readonly receipt: Receipt & { lanes: number[]; doneChunks: number[] }
  /** By lane, the next chunk to look at. */
  readonly next: number[]
  chunksDone: number
  /** How many chunks were done since the receipt was saved. */
  unsaved: number
}

/**
 * @param saved the receipt with which an earlier process left this plan
 * @param planned how many members the audience has, where there is no such receipt
 */
export function openPlan<F>(
  plan: Plan<F>,
  selection: LaneSelection,
  lanes: number,
  saved: Receipt | undefined,
  planned: number,
): OpenPlan<F> {
  const words = Math.ceil((lanes * plan.chunks.length) / 32)
  return {
    plan,
    selection,
    receipt: {
      id: plan.id,
      key: plan.key,
      tier: 0,
      share: plan.share,
      planned: saved?.planned ?? planned,
      done: saved?.done ?? 0,
      skipped: saved?.skipped ?? 0,
      lanes: [...(saved?.lanes ?? zeros(lanes))],
      doneAtMs: 0,
      doneChunks: Array.from({ length: words }, (_, i) => saved?.doneChunks[i] ?? 0),
      fingerprint: fingerprintOf(plan),
    },
    next: zeros(lanes),
    chunksDone: 0,
    unsaved: 0,
  }
}

const zeros = (length: number): number[] => Array.from({ length }, () => 0)

/** Differs between plans with different chunks, so that a saved set of chunks is not taken for that of another plan. */
export function fingerprintOf({ chunks, id }: Plan): number {
  let hash = id | 0
  for (const { bucket, from } of chunks) hash = Math.imul(hash ^ from ^ (bucket << 20), 0x01000193)
  return hash >>> 0
}

const bitOf = (of: OpenPlan, lane: number, chunk: number): number => lane * of.plan.chunks.length + chunk

export function isDone(of: OpenPlan, lane: number, chunk: number): boolean {
  const bit = bitOf(of, lane, chunk)
  return ((of.receipt.doneChunks[bit >>> 5] >>> (bit & 31)) & 1) === 1
}

export function setDone(of: OpenPlan, lane: number, chunk: number): void {
  const bit = bitOf(of, lane, chunk)
  const words = of.receipt.doneChunks
  words[bit >>> 5] = (words[bit >>> 5] | (1 << (bit & 31))) >>> 0
  of.chunksDone++
  of.unsaved++
}

/** `next` has one number for each lane. */
export const isComplete = (of: OpenPlan): boolean => of.chunksDone >= of.next.length * of.plan.chunks.length

/** Members that the lanes before the last one have served. */
export const servedBefore = (lanes: readonly number[]): number =>
  lanes.reduce((sum, count) => sum + count, -lanes[lanes.length - 1])
