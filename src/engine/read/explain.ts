/**
 * Explains what a read pipeline does with one candidate: runs the same stages for its id alone. Nothing is counted, and
 * no page is changed.
 */

import type { Env } from '../../ports/env/env.ts'
import { checkHydrated, ruleNumber } from './filtering.ts'
import { readRound } from './round.ts'
import { KEPT, MISSING, type Filter, type Pipeline, type Ranked, type Rules } from './stages.ts'

/**
 * Where a candidate went, and by which rule.
 *
 * - `kept`, without a rule: it passed every stage. Whether a selector then takes it depends on the other candidates.
 * - `early`, `hydrate`, `filters`, `recheck`: a rule of this stage removed it.
 * - `sources`: no source gave it. The rule is the one that would have removed it, for sources may leave out early what a
 *   rule would remove; `null` if no rule would have.
 */
export interface Explanation {
  readonly stage: 'sources' | 'early' | 'hydrate' | 'filters' | 'recheck' | 'kept'
  readonly rule: string | null
}

/** Rejects as a page does if a source or the data of the candidate cannot be read. */
export async function explain<Q, C extends Ranked, S extends Ranked>(
  env: Env,
  pipeline: Pipeline<Q, C, S>,
  query: Q,
  id: number,
): Promise<Explanation> {
  const round = await readRound(env, pipeline, query, { below: id + 1, atLeast: id, limit: 1 }, [])
  const given = round.candidates.find((candidate) => candidate.id === id)
  if (given !== undefined) return follow(pipeline, query, given)
  const candidate = await pipeline.candidateOf?.(query, id)
  if (candidate !== undefined) {
    return { stage: 'sources', rule: (await follow(pipeline, query, candidate)).rule }
  }
  return { stage: 'sources', rule: pipeline.candidateOf === undefined ? null : MISSING }
}

/** Takes one candidate through the stages that come after the sources. */
async function follow<Q, C extends Ranked, S extends Ranked>(
  pipeline: Pipeline<Q, C, S>,
  query: Q,
  candidate: C,
): Promise<Explanation> {
  const early = ruleOf(pipeline, pipeline.early, query, candidate)
  if (early !== null) return { stage: 'early', rule: early }
  const items = await pipeline.hydrate(query, [candidate])
  checkHydrated(pipeline, [candidate], items)
  const [item] = items
  if (item === undefined) return { stage: 'hydrate', rule: MISSING }
  const late = ruleOf(pipeline, pipeline.filters, query, item)
  if (late !== null) return { stage: 'filters', rule: late }
  const changed = ruleOf(pipeline, await pipeline.recheck(query), query, item)
  return changed === null ? { stage: 'kept', rule: null } : { stage: 'recheck', rule: changed }
}

/** The name of the rule that removes the candidate; `null` if all filters keep it. */
function ruleOf<Q, T>(
  pipeline: Rules,
  filters: readonly Filter<Q, T>[],
  query: Q,
  candidate: T,
): string | null {
  for (const filter of filters) {
    const verdict = filter.judge(query, candidate)
    if (verdict !== KEPT) return pipeline.rules[ruleNumber(pipeline, filter, verdict)]
  }
  return null
}
