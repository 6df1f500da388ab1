/**
 * `Idempotency-Key` makes a write safe to send twice. Projecting the event of a request with a key also writes a row
 * that maps the key to the event, so every process learns of it with the event. A repeat is not executed: its answer
 * is made again from that event. A request that was refused left no event, and its key can be used again.
 *
 * While a request is under way, its claim holds back others with the same key. If the outcome is unknown, the claim
 * stays until it expires: the event may be in the log already, and its row still to come.
 *
 * Takes plain values, so that a write is known as a repeat whether it comes over HTTP, over a socket or from within the
 * process.
 */

import { createHash } from 'node:crypto'
import { RivuletError, isRefusal } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { invalid } from '../core/text.ts'
import type { Idempotency } from '../engine/events.ts'
import { idempotencyTable } from '../engine/rows/idempotency.ts'
import type { Ephemeral } from '../ports/ephemeral/ephemeral.ts'
import type { Row, RowKey, Store } from '../ports/store/store.ts'
import { canonicalJson } from './json.ts'

/**
 * Longer than nearly every write takes. The claim of a process that died holds repeats back for this long at most;
 * should its event appear after all, the projection applies only the first of the two events.
 */
const CLAIM_TTL_MS = 30_000
const RETRY_IN_FLIGHT_MS = 1_000
export const IDEMPOTENCY_HEADER = 'idempotency-key'
export const IDEMPOTENCY_KEY_PATTERN = `^[!-~]{1,${LIMITS.idempotencyKeyLengthMax}}$`
const KEY = new RegExp(IDEMPOTENCY_KEY_PATTERN, 'u')

/** How to answer a request that may be a repeat. */
export interface Attempt<T> {
  /** Executes the request. */
  run(once: Idempotency | undefined): Promise<T>
  /** Makes the answer again from the event that the first request became. */
  replay(eventId: number): Promise<T>
}

export interface Outcome<T> {
  readonly answer: T
  readonly replayed: boolean
}

/** The parts of a request by which a repeat is told from another request. */
export interface KeyedRequest {
  /** The number of the account whose keys these are; 0 for the application itself. */
  readonly scope: number
  readonly key: string | undefined
  /** Method and path, without the query: `POST /api/v1/posts`. */
  readonly operation: string
  readonly body: unknown
}

export interface IdempotentRequests {
  /** @param once `undefined` for a request without a key, which is executed every time */
  attempt<T>(once: Idempotency | undefined, attempt: Attempt<T>): Promise<Outcome<T>>
}

export type Claims = Pick<Ephemeral, 'putIfAbsent' | 'take'>

export function createIdempotentRequests(store: Pick<Store, 'get'>, claims: Claims): IdempotentRequests {
  const read = readingTogether(store)
  async function remembered(once: Idempotency): Promise<number | undefined> {
    const row = await read(idempotencyTable.key(once.scope, once.key))
    if (row === undefined) return undefined
    const { hash, eventId } = idempotencyTable.decode(row)
    if (hash === once.hash) return eventId
    throw new RivuletError(
      'idempotency_key_reused',
      'this idempotency key was used for another request; use a new key for every write',
    )
  }

  async function firstTry<T>(
    once: Idempotency,
    claim: string,
    { run, replay }: Attempt<T>,
  ): Promise<Outcome<T>> {
    let settled = true
    try {
      // Read under the claim: the request that held it before may have written the row meanwhile.
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
      // A claim that cannot be released expires by itself; the answer is valid all the same.
      if (settled) await claims.take(claim).catch(() => undefined)
    }
  }

  return {
    async attempt(once, attempt) {
      if (once === undefined) return { answer: await attempt.run(undefined), replayed: false }
      const claim = `once:${once.scope}:${once.key}`
      if (await claims.putIfAbsent(claim, '', CLAIM_TTL_MS)) return firstTry(once, claim, attempt)
      const eventId = await remembered(once)
      if (eventId !== undefined) return { answer: await attempt.replay(eventId), replayed: true }
      throw new RivuletError(
        'idempotency_in_flight',
        'the first request with this idempotency key is still under way; repeat this one',
        {
          retryAfterMs: RETRY_IN_FLIGHT_MS,
        },
      )
    },
  }
}

/** @returns reads a row; rows that are asked for in the same turn, as by a batch, cost one call of the store */
function readingTogether(store: Pick<Store, 'get'>): (key: RowKey) => Promise<Row | undefined> {
  let keys: RowKey[] = []
  let rows: Promise<readonly (Row | undefined)[]> | undefined
  return async (key) => {
    const at = keys.push(key) - 1
    rows ??= Promise.resolve().then(() => {
      const wanted = keys
      keys = []
      rows = undefined
      return store.get(wanted)
    })
    return (await rows)[at]
  }
}

/**
 * @param path of the key, for messages
 * @returns what identifies a request with a key; throws `invalid_request` for a key of another form
 */
export function onceOf(
  { scope, key, operation, body }: KeyedRequest,
  path = `header.${IDEMPOTENCY_HEADER}`,
): Idempotency | undefined {
  if (key === undefined) return undefined
  if (typeof key !== 'string' || !KEY.test(key)) {
    const message = `must have 1 to ${LIMITS.idempotencyKeyLengthMax} visible ASCII characters`
    throw invalid(path, message)
  }
  const hash = createHash('sha256')
    .update(`${operation}\n${canonicalJson(body)}`)
    .digest('base64url')
  return { scope, key, hash }
}
