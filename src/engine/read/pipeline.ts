/**
 * The read pipeline: sources → filters → selection, round by round, until a page is full or the end is reached. A
 * pipeline lists its stages; this file runs them, in parallel where possible. Every stage keeps candidates in order,
 * newest first.
 *
 * One source is the lead. If the lead fails or does not answer in time, the page is made without it: the other sources
 * read the whole window, and the page names the lead as failed. If another source fails, the candidates of that round
 * are not known: the page ends above the round and says that it was cut short. A failure is never taken for the end of
 * the list.
 */

import type { Histogram } from '../../core/histogram.ts'
import { isRetriable } from '../../core/errors.ts'
import type { Env } from '../../ports/env/env.ts'
import { createDeadlines, type Deadlines } from '../../ports/env/deadlines.ts'

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

export interface Filter<Q, C> {
  readonly name: string
  keep(query: Q, candidate: C): boolean
}

export interface Pipeline<Q, C extends Ranked, S extends Ranked> {
  /** Reads first. The other sources then read down to the id that the lead has reached. */
  readonly lead: Source<Q, C>
  readonly sources: readonly Source<Q, C>[]
  /** Filters that run before `hydrate`: they need nothing but the candidate. */
  readonly early: readonly Filter<Q, C>[]
  /** Loads the data that the filters look at, in one batch per round. Leaves out candidates that no longer exist. */
  readonly hydrate: (query: Q, candidates: readonly C[]) => Maybe<S[]>
  readonly filters: readonly Filter<Q, S>[]
  /** Checks the candidates of the page once more before they are served, since they may have changed meanwhile. */
  readonly recheck: (query: Q, selected: S[]) => Maybe<S[]>
}

export interface PageRequest {
  readonly below: number
  readonly atLeast: number
  readonly limit: number
}

export interface PageResult<S> {
  readonly selected: S[]
  /** Every candidate with this id or a higher one, below the request's `below`, has been considered. */
  readonly lower: number
  /** The name of the lead, if the page was made without it. */
  readonly failed: string[]
  /** A source failed: there may be candidates below `lower` that cannot be read now. */
  readonly isCut: boolean
}

const LEAD_DEADLINE_MS = 1_000
const ROUND_MIN = 8
const ROUND_MAX = 400
const PASS_RATE_MIN = 0.05

export function definePipeline<Q, C extends Ranked, S extends Ranked>(pipeline: Pipeline<Q, C, S>) {
  return pipeline
}

/**
 * Selects up to `limit` candidates; fewer only when nothing is left above `atLeast`, or when the page is cut. Adds the
 * name of a lead that failed to `failed`. When a source fails before any candidate is selected, rejects with its error.
 */
export async function runPipeline<Q, C extends Ranked, S extends Ranked>(
  env: Env,
  pipeline: Pipeline<Q, C, S>,
  query: Q,
  request: PageRequest,
  failed: string[] = [],
): Promise<PageResult<S>> {
  let selected: S[] = []
  let { below } = request
  let passRate = 1
  let isCut = false
  while (selected.length < request.limit && below > request.atLeast && !isCut) {
    const need = request.limit - selected.length
    const limit = Math.ceil(Math.min(Math.max((need * 1.1) / passRate, ROUND_MIN), ROUND_MAX))
    try {
      const round = await readRound(env, pipeline, query, { below, atLeast: request.atLeast, limit }, failed)
      const kept = await filterRound(pipeline, query, round.candidates)
      if (round.candidates.length > 0)
        passRate = Math.max(kept.length / round.candidates.length, PASS_RATE_MIN)
      selected = selected.length === 0 ? kept : selected.concat(kept)
      below = round.lower
    } catch (error) {
      if (selected.length === 0 || !isRetriable(error)) throw error
      isCut = true
    }
    if (selected.length >= request.limit || below <= request.atLeast || isCut) {
      selected = await pipeline.recheck(query, selected)
    }
  }
  return { selected, lower: below, failed, isCut }
}

/** Reads one round of all sources and merges it: newest first, each id once, down to the id that every source reached. */
export async function readRound<Q, C extends Ranked, S extends Ranked>(
  env: Env,
  pipeline: Pipeline<Q, C, S>,
  query: Q,
  window: Window,
  failed: string[],
): Promise<SourceSlice<C>> {
  const led = readLead(env, pipeline.lead, query, window, failed)
  const lead = led instanceof Promise ? await led : led
  const within = {
    ...window,
    atLeast: Math.max(lead.lower, window.atLeast),
    covered: lead.covered === true,
  }
  const reads = pipeline.sources.map((source) => measured(env, source, query, within))
  const slices = reads.some((read) => read instanceof Promise)
    ? await Promise.all(reads)
    : (reads as SourceSlice<C>[])
  return merge([lead, ...slices], window.atLeast)
}

function measured<Q, C extends Ranked>(
  env: Env,
  source: Source<Q, C>,
  query: Q,
  window: Window,
): Maybe<SourceSlice<C>> {
  const startMs = env.monotonicMs()
  const end = () => source.latency.observe(env.monotonicMs() - startMs)
  const slice = source.read(query, window)
  if (slice instanceof Promise) return slice.finally(end)
  end()
  return slice
}

/** Reads the lead. One that fails or is late counts as empty down to `atLeast`, and its name is added to `failed`. */
function readLead<Q, C extends Ranked>(
  env: Env,
  source: Source<Q, C>,
  query: Q,
  window: Window,
  failed: string[],
): Maybe<SourceSlice<C>> {
  const fail = (): SourceSlice<C> => {
    if (!failed.includes(source.name)) failed.push(source.name)
    return { candidates: [], lower: window.atLeast }
  }
  try {
    const slice = measured(env, source, query, window)
    return slice instanceof Promise ? deadlinesOf(env).limit(slice).catch(fail) : slice
  } catch {
    return fail()
  }
}

const deadlines = new WeakMap<Env, Deadlines>()

function deadlinesOf(env: Env): Deadlines {
  let own = deadlines.get(env)
  if (own === undefined) deadlines.set(env, (own = createDeadlines(env, LEAD_DEADLINE_MS)))
  return own
}

function merge<C extends Ranked>(slices: readonly SourceSlice<C>[], atLeast: number): SourceSlice<C> {
  let lower = atLeast
  for (const slice of slices) if (slice.lower > lower) lower = slice.lower
  const filled = slices.filter(({ candidates }) => candidates.length > 0)
  if (filled.length <= 1) return { candidates: above(filled[0]?.candidates ?? [], lower), lower }
  return { candidates: filled.map(({ candidates }) => above(candidates, lower)).reduce(mergeTwo), lower }
}

/** Merges two lists, newest first; a candidate that is in both appears once. */
function mergeTwo<C extends Ranked>(a: readonly C[], b: readonly C[]): readonly C[] {
  const merged: C[] = []
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    const takesA = j === b.length || (i < a.length && a[i].id >= b[j].id)
    const next = takesA ? a[i++] : b[j++]
    if (merged.length === 0 || merged[merged.length - 1].id !== next.id) merged.push(next)
  }
  return merged
}

function above<C extends Ranked>(candidates: readonly C[], lower: number): readonly C[] {
  let end = candidates.length
  while (end > 0 && candidates[end - 1].id < lower) end--
  return end === candidates.length ? candidates : candidates.slice(0, end)
}

async function filterRound<Q, C extends Ranked, S extends Ranked>(
  pipeline: Pipeline<Q, C, S>,
  query: Q,
  candidates: readonly C[],
): Promise<S[]> {
  const { early, filters } = pipeline
  const hydrated = pipeline.hydrate(query, passing(early, query, candidates))
  return passing(filters, query, hydrated instanceof Promise ? await hydrated : hydrated)
}

/** The candidates that every filter keeps. Plain loops, because this runs for every candidate of every page. */
function passing<Q, C>(filters: readonly Filter<Q, C>[], query: Q, candidates: readonly C[]): C[] {
  const kept: C[] = []
  for (const candidate of candidates) {
    let at = 0
    while (at < filters.length && filters[at].keep(query, candidate)) at++
    if (at === filters.length) kept.push(candidate)
  }
  return kept
}
