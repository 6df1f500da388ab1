/** One round of a read pipeline: reads all sources, in parallel where possible, and merges what they give. */

import { createDeadlines, type Deadlines } from '../../ports/env/deadlines.ts'
import type { Env } from '../../ports/env/env.ts'
import type { Maybe, Pipeline, Ranked, Source, SourceSlice, Window } from './stages.ts'

const LEAD_DEADLINE_MS = 1_000

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
