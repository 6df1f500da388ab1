/**
 * The read pipeline: sources → filters → selection, round by round, until a page is full or the end is
 * reached. A pipeline lists its stages; this file runs them, in parallel where they may. Every stage keeps the
 * order, newest first.
 *
 * A lead that fails, or does not answer in time, is done without: the other sources then read all of the window
 * themselves, and the page names it. Where another source fails, nobody can say what belongs into that round: the
 * page ends above it, and says that it was cut short. What failed is never taken for the end.
 */

import type { Histogram } from '../../core/histogram.ts'
import { isRetriable } from '../../core/errors.ts'
import type { Env } from '../../ports/env/env.ts'
import { createDeadlines, type Deadlines } from '../../ports/env/deadlines.ts'

/** What every candidate has: the key of the order. */
export interface Ranked {
  readonly id: number
}

/** Candidates newest first, and the id from which on they are all there is (0: to the very first). */
export interface SourceSlice<C> {
  readonly candidates: readonly C[]
  readonly lower: number
  /** Of the lead: it answers for the window that it leaves to the others. */
  readonly covered?: boolean
}

/** What a round asks for: ids in [`atLeast`, `below`), about `limit` of them. */
export interface Window {
  readonly below: number
  readonly atLeast: number
  readonly limit: number
  /** Whether the lead answers for it: not one that failed, or came too late. */
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
  /** Reads first; how far it reached is the window of the others. */
  readonly lead: Source<Q, C>
  readonly sources: readonly Source<Q, C>[]
  /** Need nothing but the candidate. */
  readonly early: readonly Filter<Q, C>[]
  /** Brings what the filters look at: one batch a round. A candidate that is gone is left out. */
  readonly hydrate: (query: Q, candidates: readonly C[]) => Maybe<S[]>
  readonly filters: readonly Filter<Q, S>[]
  /** Once more on what is about to be served: things may have changed since it was read. */
  readonly recheck: (query: Q, selected: S[]) => Maybe<S[]>
}

export interface PageRequest {
  readonly below: number
  readonly atLeast: number
  readonly limit: number
}

export interface PageResult<S> {
  readonly selected: S[]
  /** Everything visible with an id at or above this has been seen. */
  readonly lower: number
  /** The lead, where it was done without. */
  readonly failed: string[]
  /** There may be more below `lower`, which could not be read now. */
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
 * Gathers up to `limit` served candidates; fewer only when nothing is left above `atLeast`, or the page is cut. The
 * name of a lead that failed is added to `failed`. Rejects with what went wrong where not one candidate can be served.
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

/** One round of the sources, merged: newest first, each id once, as far down as every source reached. */
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

/** A lead that fails or is late gives nothing, and leaves all of the window to the others; the page names it. */
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

/** Both newest first; what stands in both, once. */
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

/** Those that every filter keeps; plain loops, for this runs for every candidate of every page. */
function passing<Q, C>(filters: readonly Filter<Q, C>[], query: Q, candidates: readonly C[]): C[] {
  const kept: C[] = []
  for (const candidate of candidates) {
    let at = 0
    while (at < filters.length && filters[at].keep(query, candidate)) at++
    if (at === filters.length) kept.push(candidate)
  }
  return kept
}
