/**
 * Pulls of many authors at once, for pages that no timeline answers and for timelines that are made anew. What is in
 * memory costs nothing and is read at once; what must be read from the store is admitted by how much that is, the
 * oldest first, pages before rebuilds. A page that is asked for again while its pull waits for its turn joins it.
 */

import { createAdmission } from '../../engine/read/admission.ts'
import type { Pace, Stage } from '../../engine/read/pace.ts'
import type { Maybe } from '../../engine/read/pipeline.ts'
import type { Env } from '../../ports/env/env.ts'
import type { Outboxes } from './outboxes.ts'
import { pull, type PullRequest, type Slice } from './pull.ts'

/** Outboxes that are read from the store at a time: enough to keep it busy, few enough to end soon. */
const AUTHORS_AT_ONCE = 1_000
/** The same for pages whose timelines answer. They read few more, and do not wait behind those that read all. */
const AUTHORS_AT_ONCE_BESIDE = 250
const MERGED_FOR_ONE_READ = 50
/** So few that are in memory are merged in less time than a turn takes. */
const MERGED_AT_LIBERTY = 64
const WAITING_MAX = 10_000

export interface PageOf {
  readonly reader: number
  /** Another circle is another pull. */
  readonly circle: { readonly changeId: number }
  /** When the page was asked for. */
  readonly sinceMs: number
  /** One of very many, perhaps, which all go on at the same moment. */
  readonly isCold: boolean
}

export interface Pulls {
  /**
   * @param isAll everybody is pulled, for want of a timeline. Rejects with `overloaded` when too many pages wait for
   * their turn.
   */
  forPage(page: PageOf, request: PullRequest, isAll: boolean): Maybe<Slice>
  inBackground(request: PullRequest): Promise<Slice>
  /** How many wait for their turn. */
  readonly waiting: number
  /** About how long it takes until all that waits now is done. */
  backlogMs(): number
}

export function createPulls(env: Env, pace: Pace, outboxes: Outboxes): Pulls {
  const whole = createAdmission({ env, costMax: AUTHORS_AT_ONCE, waitingMax: WAITING_MAX })
  const beside = createAdmission({ env, costMax: AUTHORS_AT_ONCE_BESIDE, waitingMax: WAITING_MAX })
  const waiting = new Map<string, Promise<Slice>>()
  const paced: Pick<Outboxes, 'read'> = {
    read(requests) {
      const slices = outboxes.read(requests)
      return slices instanceof Promise ? slices.then((read) => pace.turn('read').then(() => read)) : slices
    },
  }
  async function run(request: PullRequest, stage: Stage = 'begun'): Promise<Slice> {
    await pace.turn(stage)
    return pull(paced, request)
  }
  /** In outboxes that are read from the store; merging those in memory is about so much cheaper. */
  const costOf = (missing: number, authors: ArrayLike<number>) =>
    1 + missing + Math.floor(authors.length / MERGED_FOR_ONE_READ)

  const isAtLiberty = (missing: number, authors: ArrayLike<number>) =>
    missing === 0 && authors.length <= MERGED_AT_LIBERTY

  /**
   * A page that is asked for again joins its pull while that waits for its turn. Not later: one that has begun may lack
   * a post that is older than what the page asked for now claims to hold.
   */
  function joinOrRun(page: PageOf, request: PullRequest): Maybe<Slice> {
    const { authors, below, atLeast, limit } = request
    const key = [page.reader, page.circle.changeId, below, atLeast, limit].join(':')
    const known = waiting.get(key)
    if (known !== undefined) return known
    const missing = outboxes.missing(authors, below)
    if (isAtLiberty(missing, authors)) return pull(outboxes, request)
    let hasBegun = false
    const pulled = whole.run(costOf(missing, authors), page.sinceMs, () => {
      hasBegun = true
      waiting.delete(key)
      return run(request)
    })
    if (hasBegun) return pulled
    waiting.set(key, pulled)
    // Refused: there is nothing to be joined.
    pulled.catch(() => waiting.get(key) === pulled && waiting.delete(key))
    return pulled
  }

  return {
    forPage(page, request, isAll) {
      const { authors, below } = request
      // Of one alone a read costs as much as to wait for a turn.
      if (authors.length <= 1) return pull(page.isCold ? paced : outboxes, request)
      if (isAll) return joinOrRun(page, request)
      const missing = outboxes.missing(authors, below)
      if (isAtLiberty(missing, authors)) return pull(outboxes, request)
      return beside.run(costOf(missing, authors), page.sinceMs, () => run(request))
    },
    inBackground(request) {
      const { authors, below } = request
      const cost = costOf(outboxes.missing(authors, below), authors)
      return whole.runInBackground(cost, () => run(request, 'background'))
    },
    get waiting() {
      return whole.waiting + beside.waiting
    },
    backlogMs: () => Math.max(whole.backlogMs(), beside.backlogMs()),
  }
}
