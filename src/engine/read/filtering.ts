/** Applies filters to a batch of candidates and counts, by rule, what they remove. */

import { assert } from '../../core/errors.ts'
import { KEPT, type Filter, type Maybe, type Pipeline, type Ranked, type Rules } from './stages.ts'

/** One run of a pipeline. */
export interface Run<Q, P extends Rules = Rules> {
  readonly pipeline: P
  readonly query: Q
  /** How many candidates of this run each rule has removed, by the rule's number. */
  readonly removed: Uint32Array
}

/** The number of the rule `missing`, which belongs to no filter. */
const MISSING_NUMBER = 0

/** The items of a round that every filter keeps. */
export async function filterRound<Q, C extends Ranked, S extends Ranked>(
  run: Run<Q, Pipeline<Q, C, S>>,
  candidates: readonly C[],
): Promise<S[]> {
  const { pipeline, query } = run
  const found = passing(run, pipeline.early, candidates)
  const loading = pipeline.hydrate(query, found)
  const items = loading instanceof Promise ? await loading : loading
  checkHydrated(pipeline, found, items)
  return passing(run, pipeline.filters, items)
}

/** Applies the filters whose verdicts may have changed to a page that is ready to be served. */
export function recheckPage<Q, C extends Ranked, S extends Ranked>(
  run: Run<Q, Pipeline<Q, C, S>>,
  items: readonly S[],
): Maybe<S[]> {
  const filters = run.pipeline.recheck(run.query)
  if (filters instanceof Promise) return filters.then((changed) => passing(run, changed, items))
  return passing(run, filters, items)
}

/** The candidates that every filter keeps. Plain loops, because this runs for every candidate of every page. */
function passing<Q, T>(
  run: Run<Q>,
  filters: readonly Filter<Q, T>[],
  candidates: readonly (T | undefined)[],
): T[] {
  const { query } = run
  const kept: T[] = []
  for (const candidate of candidates) {
    if (candidate === undefined) {
      count(run, MISSING_NUMBER)
      continue
    }
    let verdict = KEPT
    let at = 0
    while (at < filters.length && (verdict = filters[at].judge(query, candidate)) === KEPT) at++
    if (verdict === KEPT) kept.push(candidate)
    else count(run, ruleNumber(run.pipeline, filters[at], verdict))
  }
  return kept
}

function count({ pipeline, removed }: Run<unknown>, rule: number): void {
  removed[rule]++
  pipeline.removed[rule]++
}

/** The number, within the pipeline, of the rule that a filter's verdict names. */
export function ruleNumber(
  { name, offsets }: Rules,
  filter: { readonly rules: readonly string[] },
  verdict: number,
): number {
  const offset = offsets.get(filter)
  if (offset === undefined || filter.rules[verdict - 1] === undefined) {
    assert(false, `verdicts of ${name} name a rule (${filter.rules.join(', ')}: ${verdict})`)
  }
  return offset + verdict
}

/** A batch stage that left an item out, or moved one, would give items the data of others. */
export function checkHydrated(
  { name }: Rules,
  candidates: readonly Ranked[],
  items: readonly (Ranked | undefined)[],
): void {
  let isSame = items.length === candidates.length
  for (let i = 0; i < items.length && isSame; i++) {
    isSame = items[i] === undefined || items[i]?.id === candidates[i].id
  }
  if (!isSame) assert(false, `hydrate of ${name} gives one item for each candidate, in their order`)
}
