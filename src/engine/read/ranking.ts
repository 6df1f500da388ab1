/** The last stages of a read pipeline: scorers rate the items that passed every filter, a selector takes the page's. */

import { assert } from '../../core/errors.ts'
import type { Pipeline, Ranked } from './stages.ts'

/** @returns the page's items; all of them, in the order in which they came, where the pipeline has no selector */
export function rank<Q, C extends Ranked, S extends Ranked>(
  { name, scorers = [], selector }: Pipeline<Q, C, S>,
  query: Q,
  items: readonly S[],
  limit: number,
): readonly S[] {
  if (selector === undefined) return items
  const scores = new Float64Array(items.length)
  for (const scorer of scorers) scorer.score(query, items, scores)
  // NaN compares with nothing: a single one could put all other items out of order.
  for (let i = 0; i < scores.length; i++) if (Number.isNaN(scores[i])) scores[i] = -Infinity
  const selected = selector.select(query, items, scores, limit)
  const left = new Set(items)
  const isOfThem = selected.length <= limit && selected.every((item) => left.delete(item))
  assert(isOfThem, `selector ${selector.name} of ${name} takes at most ${limit} of its items, each once`)
  return selected
}
