/**
 * `Idempotency-Key`: a write that may be sent twice. What the request became stands in a row that is written
 * by projecting its event, so it is known wherever and as long as the event is. A repeat is not executed: its
 * answer is made again from that event. A first try that was refused left no event and is not remembered.
 *
 * While a request is under way, a claim holds others back. One whose outcome is unknown keeps its claim: its
 * event may be in the log already, and its row is still to come.
 */

import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { RivuletError, isRefusal } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { invalid } from '../core/text.ts'
import type { Idempotency } from '../engine/events.ts'
import { idempotencyTable } from '../engine/rows/idempotency.ts'
import type { Ephemeral } from '../ports/ephemeral/ephemeral.ts'
import type { Store } from '../ports/store/store.ts'
import { pathOf } from './access-log.ts'
import { canonicalJson } from './json.ts'

/**
 * Longer than nearly every write takes. One that was claimed by a process that is gone holds the others back for no
 * longer; should its event come after all, the projection takes in the first of the two.
 */
const CLAIM_TTL_MS = 30_000
const RETRY_IN_FLIGHT_MS = 1_000
export const IDEMPOTENCY_HEADER = 'idempotency-key'
export const IDEMPOTENCY_KEY_PATTERN = `^[!-~]{1,${LIMITS.idempotencyKeyLengthMax}}$`
const KEY = new RegExp(IDEMPOTENCY_KEY_PATTERN, 'u')

/** What an answer is made of: of the event that the request became. */
export interface Attempt<T> {
  run(once: Idempotency | undefined): Promise<T>
  replay(eventId: number): Promise<T>
}

export interface Outcome<T> {
  readonly answer: T
  readonly replayed: boolean
}

/** What tells requests apart. */
export type KeyedRequest = Pick<FastifyRequest, 'method' | 'url' | 'headers' | 'body' | 'caller'>

export interface IdempotentRequests {
  attempt<T>(request: KeyedRequest, attempt: Attempt<T>): Promise<Outcome<T>>
}

export type Claims = Pick<Ephemeral, 'putIfAbsent' | 'take'>

export function createIdempotentRequests(store: Store, claims: Claims): IdempotentRequests {
  async function remembered(once: Idempotency): Promise<number | undefined> {
    const [row] = await store.get([idempotencyTable.key(once.scope, once.key)])
    if (row === undefined) return undefined
    const { hash, eventId } = idempotencyTable.decode(row)
    if (hash === once.hash) return eventId
    throw new RivuletError('idempotency_key_reused', 'this key belongs to another request')
  }

  async function firstTry<T>(
    once: Idempotency,
    claim: string,
    { run, replay }: Attempt<T>,
  ): Promise<Outcome<T>> {
    let settled = true
    try {
      // Only now: whoever held the claim before may have left the row meanwhile.
      const eventId = await remembered(once)
      if (eventId !== undefined) return { answer: await replay(eventId), replayed: true }
      settled = false
      const answer = await run(once)
      settled = true
      return { answer, replayed: false }
    } catch (error) {
      settled ||= isRefusal(error)
      throw error
    } finally {
      // One that cannot be taken back ends by itself; the answer stands.
      if (settled) await claims.take(claim).catch(() => undefined)
    }
  }

  return {
    async attempt(request, attempt) {
      const once = onceOf(request)
      if (once === undefined) return { answer: await attempt.run(undefined), replayed: false }
      const claim = `once:${once.scope}:${once.key}`
      if (await claims.putIfAbsent(claim, '', CLAIM_TTL_MS)) return firstTry(once, claim, attempt)
      const eventId = await remembered(once)
      if (eventId !== undefined) return { answer: await attempt.replay(eventId), replayed: true }
      throw new RivuletError('idempotency_in_flight', 'the first request with this key is still under way', {
        retryAfterMs: RETRY_IN_FLIGHT_MS,
      })
    },
  }
}

function onceOf(request: KeyedRequest): Idempotency | undefined {
  const key = request.headers[IDEMPOTENCY_HEADER]
  if (key === undefined) return undefined
  if (typeof key !== 'string' || !KEY.test(key)) {
    const message = `must have 1 to ${LIMITS.idempotencyKeyLengthMax} visible ASCII characters`
    throw invalid(`header.${IDEMPOTENCY_HEADER}`, message)
  }
  const hash = createHash('sha256')
    .update(`${request.method} ${pathOf(request)}\n${canonicalJson(request.body)}`)
    .digest('base64url')
  return { scope: request.caller?.account?.number ?? 0, key, hash }
}
