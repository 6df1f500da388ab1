/** A large fan-out under way: its plan, its receipt, and the set of (lane, chunk) that are done. */

import type { Audience } from './fanout/lanes.ts'
import { LANES, type Plan, type Receipt } from './tables.ts'

export interface OpenPlan extends Audience {
  readonly receipt: Receipt & { lanes: number[]; doneChunks: number[] }
  /** By lane, the next chunk to look at. */
  readonly next: number[]
  chunksDone: number
  /** How many chunks were done since the receipt was saved. */
  unsaved: number
}

/**
 * @param saved the receipt with which an earlier process left this plan
 * @param planned how many followers the author has, where there is no such receipt
 */
export function openPlan(
  { plan, friends, begunMinute }: Omit<Audience, 'resumed'>,
  saved: Receipt | undefined,
  planned: number,
): OpenPlan {
  const words = Math.ceil((LANES.length * plan.chunks.length) / 32)
  return {
    plan,
    friends,
    resumed: saved !== undefined,
    begunMinute,
    receipt: {
      post: plan.post,
      author: plan.author,
      tier: 0,
      share: plan.share,
      planned: saved?.planned ?? planned,
      done: saved?.done ?? 0,
      skippedInactive: saved?.skippedInactive ?? 0,
      lanes: [...(saved?.lanes ?? LANES.map(() => 0))],
      doneAtMs: 0,
      doneChunks: Array.from({ length: words }, (_, i) => saved?.doneChunks[i] ?? 0),
      fingerprint: fingerprintOf(plan),
    },
    next: LANES.map(() => 0),
    chunksDone: 0,
    unsaved: 0,
  }
}

/** Differs between plans with different chunks, so that a saved set of chunks is not taken for that of another plan. */
export function fingerprintOf({ chunks, post }: Plan): number {
  let hash = post | 0
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

export const isComplete = (of: OpenPlan): boolean => of.chunksDone >= LANES.length * of.plan.chunks.length
