/**
 * The stages of a read pipeline, and its definition: sources → merge → filters → hydrate → filters → (scorers and a
 * selector) → page. `pipeline.ts` runs them, `explain.ts` tells what they do with one candidate.
 *
 * Only sources and `hydrate` read anything. Filters, scorers and selectors are pure: they look at the query and at what
 * was loaded, change nothing, and give the same answer for the same arguments. So the runner alone counts what they
 * remove, and a candidate can be explained at any time without disturbing a page.
 */

import { assert } from '../../core/errors.ts'
import type { Histogram } from '../../core/histogram.ts'

/** Every candidate has an id; pages are ordered by it. */
export interface Ranked {
  readonly id: number
}

/** Candidates, newest first. They are all that the source has with ids of `lower` or above (0: down to its very first). */
export interface SourceSlice<C> {
  readonly candidates: readonly C[]
  readonly lower: number
  /** Set by a lead that vouches for its slice: the other sources then read only what the lead does not hold. */
  readonly covered?: boolean
}

/** What a round asks for: ids in [`atLeast`, `below`), about `limit` of them. */
export interface Window {
  readonly below: number
  readonly atLeast: number
  readonly limit: number
  /** True if the lead vouches for its slice of this window, and has neither failed nor been too late. */
  readonly covered?: boolean
}

export type Maybe<T> = T | Promise<T>

export interface Source<Q, C extends Ranked> {
  readonly name: string
  /** How long its reads take; filled by the runner. */
  readonly latency: Histogram
  read(query: Q, window: Window): Maybe<SourceSlice<C>>
}

/** `KEPT`, or the place, from 1, of the rule that removes the candidate in the filter's list of rules. */
export type Verdict = number
export const KEPT: Verdict = 0

/** Numbers rules in the order in which they are named. The names, in that order, are the keys of the result. */
export function verdicts<Name extends string>(...names: readonly Name[]): Readonly<Record<Name, Verdict>> {
  return Object.fromEntries(names.map((name, at) => [name, at + 1])) as Record<Name, Verdict>
}

/** One or more rules that look at the same data and are decided in one call. */
export interface Filter<Q, C> {
  /** Names of its rules, unique within a pipeline. They are labels of metrics and answers of `explain`: never rename one. */
  readonly rules: readonly string[]
  judge(query: Q, candidate: C): Verdict
}

/** Rates items in one batch. Listed scorers run one after the other on the same scores. */
export interface Scorer<Q, S> {
  readonly name: string
  /** Changes `scores[i]`, the score of `items[i]`: 0 at first, then what earlier scorers left there. */
  score(query: Q, items: readonly S[], scores: Float64Array): void
}

/** Chooses the items of a page, at most `limit`, in the order in which the page shows them. */
export interface Selector<Q, S> {
  readonly name: string
  /** @param scores hold no NaN: an item without a proper score has −Infinity */
  select(query: Q, items: readonly S[], scores: Float64Array, limit: number): readonly S[]
}

export interface PipelineDefinition<Q, C extends Ranked, S extends Ranked> {
  /** Names the pipeline in errors. */
  readonly name: string
  /** Reads first. The other sources then read down to the id that the lead has reached. */
  readonly lead: Source<Q, C>
  readonly sources: readonly Source<Q, C>[]
  /** Filters that run before `hydrate`: they need nothing but the candidate. */
  readonly early: readonly Filter<Q, C>[]
  /**
   * Loads the data that later stages look at, in one batch per round. Gives one item for each candidate, in their
   * order, and `undefined` for a candidate whose data does not exist: that one is removed by the rule `missing`.
   */
  readonly hydrate: (query: Q, candidates: readonly C[]) => Maybe<readonly (S | undefined)[]>
  readonly filters: readonly Filter<Q, S>[]
  /**
   * Asked once the page is gathered: the filters, of those above, whose verdicts may have changed meanwhile. The runner
   * applies them to the whole page again before it is served.
   */
  readonly recheck: (query: Q) => Maybe<readonly Filter<Q, S>[]>
  /** Without a selector, a page keeps the order of the candidates. */
  readonly scorers?: readonly Scorer<Q, S>[]
  readonly selector?: Selector<Q, S>
  /**
   * How many items that passed every filter are gathered for the selector to choose from; the page's `limit` where left
   * out. The last round may give some more, and the end of the list fewer.
   */
  readonly pool?: number
  /** The candidate of an id as a source would give it; `undefined` if there is none. Only `explain` asks. */
  readonly candidateOf?: (query: Q, id: number) => Maybe<C | undefined>
}

/** The rules of a pipeline, and how often they have removed something. */
export interface Rules {
  readonly name: string
  /** The names of all rules. A rule's number is its place here, fixed by the definition. */
  readonly rules: readonly string[]
  /** How many candidates each rule has removed, by its number. */
  readonly removed: Float64Array
  /** By filter: what, added to one of its verdicts, gives the number of the rule. */
  readonly offsets: ReadonlyMap<object, number>
}

export interface Pipeline<Q, C extends Ranked, S extends Ranked> extends PipelineDefinition<Q, C, S>, Rules {}

/** The rule that removes candidates for which `hydrate` finds no data. */
export const MISSING = 'missing'
/** Scorers and the selector look at all of a pool at once, while nothing else runs. */
const POOL_MAX = 2_000

export function definePipeline<Q, C extends Ranked, S extends Ranked>(
  definition: PipelineDefinition<Q, C, S>,
): Pipeline<Q, C, S> {
  const { name, early, filters, scorers = [], selector, pool = 1 } = definition
  const rules = [MISSING]
  const offsets = new Map<object, number>()
  for (const filter of [...early, ...filters]) {
    offsets.set(filter, rules.length - 1)
    rules.push(...filter.rules)
  }
  assert(new Set(rules).size === rules.length, `each rule of ${name} has a name of its own`)
  assert(scorers.length === 0 || selector !== undefined, `${name} has a selector that looks at its scores`)
  assert(Number.isInteger(pool) && pool > 0 && pool <= POOL_MAX, `the pool of ${name} is 1 to ${POOL_MAX}`)
  return { ...definition, rules, offsets, removed: new Float64Array(rules.length) }
}
