/** The stream of fan-outs that benches apply: in each round every author posts once, in random order, to all followers. */

import { LIMITS } from '../src/core/limits.ts'
import type { Spread } from '../src/ports/views/views.ts'
import { type Graph, shuffled } from './graph.ts'

const FIRST_ID = 2 ** 51
const ID_STEP = 128
/** The number of owners that a worker passes to the views in one call. */
export const BATCH_OWNERS = 4_000

/** The order in which authors post. */
export const postingOrder = (graph: Graph, round: number): Uint32Array => shuffled(graph.accounts, 77 + round)

/**
 * Makes batches of spreads with at most `chunkFollowersMax` owners each, as a worker would, and ends after `insertsMax`
 * inserts.
 */
export function* batches(
  graph: Graph,
  orders: readonly Uint32Array[],
  insertsMax = Infinity,
): Generator<Spread[]> {
  let [batch, owners, id, left]: [Spread[], number, number, number] = [[], 0, FIRST_ID, insertsMax]
  for (const order of orders) {
    for (const author of order) {
      id += ID_STEP
      if (left <= 0) break
      const end = graph.starts[author + 1]
      for (let from = graph.starts[author]; from < end && left > 0; from += LIMITS.chunkFollowersMax) {
        const to = Math.min(from + LIMITS.chunkFollowersMax, end, from + left)
        batch.push({ id, ref: author, kind: 0, owners: graph.followers.subarray(from, to) })
        owners += to - from
        left -= to - from
        if (owners < BATCH_OWNERS) continue
        yield batch
        ;[batch, owners] = [[], 0]
      }
    }
  }
  if (batch.length > 0) yield batch
}
