/**
 * Admits pulls of many authors, for pages and for rebuilds, so that many at once do not overload the store. A pull from
 * memory alone runs at once. One that must read the store waits for its turn: it costs as much as it has outboxes to
 * read, the request that waits longest goes first, and pages go before rebuilds. A page that is asked for again while
 * its pull waits joins that pull.
 */

import { createAdmission } from '../../engine/read/admission.ts'
import type { Pace, Stage } from '../../engine/read/pace.ts'
import type { Maybe } from '../../engine/read/stages.ts'
import type { Env } from '../../ports/env/env.ts'
import type { Outboxes } from './outboxes.ts'
import { pull, type PullRequest, type Slice } from './pull.ts'

/** How many outboxes are read from the store at a time: enough to keep it busy, few enough that each pull ends soon. */
const AUTHORS_AT_ONCE = 1_000
/** The same for pages that have a timeline: they pull few authors, and must not wait behind those that pull all. */
const AUTHORS_AT_ONCE_BESIDE = 250
/** Merging so many outboxes in memory takes about as long as reading one from the store. */
const MERGED_FOR_ONE_READ = 50
/** Merging this few from memory takes less time than waiting for a turn. */
const MERGED_AT_LIBERTY = 64
const WAITING_MAX = 10_000

/** The page that a pull is for. */
export interface PageOf {
  readonly reader: number
  /** A repeated request joins a pull only if the circle is still the same. */
  readonly circle: { readonly changeId: number }
  /** When the page was first asked for. */
  readonly sinceMs: number
  /** Little of what the page needs is in memory, and very many such pages may go on at the same moment. */
  readonly isCold: boolean
}

export interface Pulls {
  /**
   * Rejects with `overloaded` when too many pages wait for their turn.
   *
   * @param isAll there is no timeline for the window, so all followees are pulled
   */
  forPage(page: PageOf, request: PullRequest, isAll: boolean): Maybe<Slice>
  /** For a rebuild or a backfill. */
  inBackground(request: PullRequest): Promise<Slice>
  /** How many pulls wait for their turn. */
  readonly waiting: number
  /** About how long it takes until all pulls that wait now are done. */
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
  /** The unit is one outbox read from the store. */
  const costOf = (missing: number, authors: ArrayLike<number>) =>
    1 + missing + Math.floor(authors.length / MERGED_FOR_ONE_READ)

  const isAtLiberty = (missing: number, authors: ArrayLike<number>) =>
    missing === 0 && authors.length <= MERGED_AT_LIBERTY

  /**
   * A page that is asked for again joins its earlier pull while that waits. It does not join a pull that has begun: that
   * one may have read an outbox before a post that the new page, with its later horizon, claims to hold.
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
    // If admission refuses it, there is no pull to join.
    pulled.catch(() => waiting.get(key) === pulled && waiting.delete(key))
    return pulled
  }

  return {
    forPage(page, request, isAll) {
      const { authors, below } = request
      // Reading a single outbox costs no more than waiting for a turn.
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
