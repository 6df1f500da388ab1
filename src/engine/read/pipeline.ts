/**
 * Runs a read pipeline, round by round, until a page is full or the end is reached: sources → merge → filters →
 * hydrate → filters → (scorers and a selector) → page. `stages.ts` says what the stages are. Every stage before the
 * selector keeps candidates in order, newest first.
 *
 * One source is the lead. If the lead fails or does not answer in time, the page is made without it: the other sources
 * read the whole window, and the page names the lead as failed. If another source fails, the candidates of that round
 * are not known: the page ends above the round and says that it was cut short. A failure is never taken for the end of
 * the list.
 */

import { isRetriable } from '../../core/errors.ts'
import type { Env } from '../../ports/env/env.ts'
import { filterRound, recheckPage, type Run } from './filtering.ts'
import { rank } from './ranking.ts'
import { readRound } from './round.ts'
import type { Pipeline, Ranked } from './stages.ts'

export interface PageRequest {
  readonly below: number
  readonly atLeast: number
  readonly limit: number
}

export interface PageResult<S> {
  /** At least `limit` items, if there are so many: without a selector, the last round may have given a few more. */
  readonly selected: readonly S[]
  /**
   * Every candidate with this id or a higher one, below the request's `below`, has been considered. A selector may have
   * left some of them out: whoever asks for the candidates below this id does not meet those again.
   */
  readonly lower: number
  /** How many candidates each rule removed, by the rule's number. */
  readonly removed: Uint32Array
  /** The name of the lead, if the page was made without it. */
  readonly failed: string[]
  /** A source failed: there may be candidates below `lower` that cannot be read now. */
  readonly isCut: boolean
}

const ROUND_MIN = 8
const ROUND_MAX = 400
const PASS_RATE_MIN = 0.05

/**
 * Makes a page. It has fewer than `limit` items only when nothing is left above `atLeast`, or when the page is cut. Adds
 * the name of a lead that failed to `failed`. When a source fails before any item is found, rejects with its error.
 */
export async function runPipeline<Q, C extends Ranked, S extends Ranked>(
  env: Env,
  pipeline: Pipeline<Q, C, S>,
  query: Q,
  request: PageRequest,
  failed: string[] = [],
): Promise<PageResult<S>> {
  const removed = new Uint32Array(pipeline.rules.length)
  const run: Run<Q, Pipeline<Q, C, S>> = { pipeline, query, removed }
  const wanted = Math.max(request.limit, pipeline.pool ?? 0)
  let items: S[] = []
  let { below } = request
  let passRate = 1
  let isCut = false
  while (items.length < wanted && below > request.atLeast && !isCut) {
    const need = wanted - items.length
    const limit = Math.ceil(Math.min(Math.max((need * 1.1) / passRate, ROUND_MIN), ROUND_MAX))
    try {
      const round = await readRound(env, pipeline, query, { below, atLeast: request.atLeast, limit }, failed)
      const kept = await filterRound(run, round.candidates)
      if (round.candidates.length > 0)
        passRate = Math.max(kept.length / round.candidates.length, PASS_RATE_MIN)
      items = items.length === 0 ? kept : items.concat(kept)
      below = round.lower
    } catch (error) {
      if (items.length === 0 || !isRetriable(error)) throw error
      isCut = true
    }
    if (items.length >= wanted || below <= request.atLeast || isCut) items = await recheckPage(run, items)
  }
  const selected = rank(pipeline, query, items, request.limit)
  return { selected, lower: below, removed, failed, isCut }
}
