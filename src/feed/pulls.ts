/**
 * Pulls of many authors at once, for pages that no timeline answers and for timelines that are made anew. What is in
 * memory costs nothing and is read at once; what must be read from the store is admitted by how much that is, the
 * oldest first, pages before rebuilds. A page that is asked for again while its pull is under way waits for that one.
 */

import { createAdmission, type Admission } from '../engine/admission.ts'
import type { Maybe } from '../engine/pipeline.ts'
import type { Env } from '../ports/env/env.ts'
import type { Outboxes } from './outboxes.ts'
import { pull, type PullRequest, type Slice } from './pull.ts'

/** Outboxes that are read from the store at a time: enough to keep it busy, few enough to end soon. */
const AUTHORS_AT_ONCE = 1_000
const MERGED_FOR_ONE_READ = 50
/** So few cost less than to wait for a turn. */
const AUTHORS_AT_LIBERTY = 64
const WAITING_MAX = 10_000

export interface PageOf {
  readonly reader: number
  /** The newest change of whom the reader follows: another one is another pull. */
  readonly changeId: number
  /** When the page was asked for. */
  readonly sinceMs: number
}

export interface Pulls {
  /**
   * @param isAll everybody is pulled, for want of a timeline: it waits for its turn. Rejects with `overloaded` when too
   * many do.
   */
  forPage(page: PageOf, request: PullRequest, isAll: boolean): Maybe<Slice>
  inBackground(request: PullRequest): Promise<Slice>
  readonly admission: Admission
}

export function createPulls(env: Env, outboxes: Outboxes): Pulls {
  const admission = createAdmission({ env, costMax: AUTHORS_AT_ONCE, waitingMax: WAITING_MAX })
  const underWay = new Map<string, Promise<Slice>>()
  const run = async (request: PullRequest) => pull(outboxes, request)
  /** In outboxes that are read from the store; merging those in memory is about so much cheaper. */
  const costOf = (authors: ArrayLike<number>) =>
    1 + outboxes.missing(authors) + Math.floor(authors.length / MERGED_FOR_ONE_READ)

  return {
    admission,
    forPage({ reader, changeId, sinceMs }, request, isAll) {
      const { authors, below, atLeast, limit } = request
      const cost = costOf(authors)
      if (authors.length <= AUTHORS_AT_LIBERTY || (!isAll && cost <= AUTHORS_AT_LIBERTY)) {
        return pull(outboxes, request)
      }
      const key = [reader, changeId, authors.length, below, atLeast, limit].join(':')
      const known = underWay.get(key)
      if (known !== undefined) return known
      const pulled = admission.run(cost, sinceMs, () => run(request)).finally(() => underWay.delete(key))
      underWay.set(key, pulled)
      return pulled
    },
    inBackground: (request) => admission.runInBackground(costOf(request.authors), () => run(request)),
  }
}
