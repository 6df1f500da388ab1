/** Which chunks run next: of the most urgent lane that has any, those of the oldest plan. */

import { isComplete, isDone, setDone, type OpenPlan } from './open-plan.ts'
import type { OpenPlans } from './open-plans.ts'

/** Chunks of a turn are read at once, and served one by one. */
const CHUNKS_A_TURN = 16
/** Every fourth turn goes to the oldest plan, so that it ends however many urgent ones keep coming. */
const OLDEST_EVERY_TURNS = 4

/** Some chunks of one lane; none if all that is left of the plan is to complete it. */
export interface Turn<F> {
  readonly of: OpenPlan<F>
  readonly lane: number
  readonly chunks: readonly number[]
}

/** @returns a function that gives the next turn in the lanes below `laneEnd`; `undefined` if those have nothing to do */
export function createTurnOrder<F>(open: OpenPlans<F>): (laneEnd: number) => Turn<F> | undefined {
  let turns = 0
  return (laneEnd) => {
    const isForOldest = ++turns % OLDEST_EVERY_TURNS === 0
    for (let lane = 0; lane < laneEnd; lane++) {
      for (const of of open.all()) {
        const chunks = nextChunks(of, lane)
        if (chunks.length > 0 || isComplete(of)) return { of, lane, chunks }
        if (isForOldest) break
      }
    }
    return undefined
  }
}

function nextChunks(of: OpenPlan, lane: number): number[] {
  const chunks: number[] = []
  while (of.next[lane] < of.plan.chunks.length && chunks.length < CHUNKS_A_TURN) {
    const chunk = of.next[lane]++
    if (isDone(of, lane, chunk)) of.chunksDone++
    else if (!of.selection.mayHold(lane, of.plan.chunks[chunk])) setDone(of, lane, chunk)
    else chunks.push(chunk)
  }
  return chunks
}
