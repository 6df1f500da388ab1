/**
 * Puts off pages that cannot be made within five seconds, as after a start, when very many timelines must be rebuilt.
 * The reader is told to ask again. What was read for the page is kept, and so is the reader's place in the queue: the
 * next try counts as asked when the first one was.
 */

import { LRUCache } from 'lru-cache'
import { isRivuletError, RivuletError } from '../../core/errors.ts'
import { createDeadlines } from '../../ports/env/deadlines.ts'
import type { Env } from '../../ports/env/env.ts'
import type { Pulls } from '../timelines/pulls.ts'
import type { HomePage, HomeRequest } from './page.ts'

/** Clients and proxies commonly wait for longer than this. */
const PAGE_WITHIN_MS = 5_000
const RETRY_AFTER_MS_MIN = 1_000
/** No later than this even when the backlog is longer: another try costs little. */
const RETRY_AFTER_MS_MAX = 5_000
/** Up to this share is taken off at random, so that readers who were put off together do not come back together. */
const RETRY_EARLIER_SHARE = 0.3
const PUT_OFF_KEPT_MAX = 20_000
const PUT_OFF_KEPT_MS = 60_000

/** @returns a function that makes the error, with the time after which another try has a chance */
export function createNotReady(env: Env, pulls: Pulls): () => RivuletError {
  return () => {
    const backlogMs = pulls.backlogMs()
    const soonMs = Math.min(Math.max(backlogMs, RETRY_AFTER_MS_MIN), RETRY_AFTER_MS_MAX)
    const retryAfterMs = Math.max(RETRY_AFTER_MS_MIN, soonMs * (1 - RETRY_EARLIER_SHARE * env.random()))
    return new RivuletError('not_ready', 'this feed is still being put together; ask again', { retryAfterMs })
  }
}

export interface PutOff {
  read(reader: number, request: HomeRequest): Promise<HomePage>
  readonly stats: { readonly notReady: number }
}

/** @param readPage reads a page for somebody who waits since `sinceMs` */
export function createPutOff(
  env: Env,
  notReady: () => RivuletError,
  readPage: (reader: number, request: HomeRequest, sinceMs: number) => Promise<HomePage>,
): PutOff {
  const stats = { notReady: 0 }
  /** By reader, when the first try was: who waits longest is served first, in whatever order they come back. */
  const putOff = new LRUCache<number, number>({
    maxSize: PUT_OFF_KEPT_MAX,
    sizeCalculation: () => 1,
    ttl: PUT_OFF_KEPT_MS,
    perf: { now: () => env.monotonicMs() },
  })
  const deadlines = createDeadlines(env, PAGE_WITHIN_MS, notReady)
  return {
    stats,
    async read(reader, request) {
      const sinceMs = (putOff.size > 0 ? putOff.get(reader) : undefined) ?? env.monotonicMs()
      try {
        const page = await deadlines.limit(readPage(reader, request, sinceMs))
        if (putOff.size > 0) putOff.delete(reader)
        return page
      } catch (error) {
        if (isRivuletError(error, 'not_ready')) {
          stats.notReady++
          putOff.set(reader, sinceMs)
        }
        throw error
      }
    },
  }
}
