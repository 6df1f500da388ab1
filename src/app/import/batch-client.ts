/**
 * Sends items of an import to a running server in batches, and repeats what could not be done yet: the whole batch if
 * the server cannot be reached or is busy, else the items whose problem is retriable. Every item has an idempotency key,
 * so that nothing is done twice.
 */

import { RivuletError } from '../../core/errors.ts'
import { LIMITS } from '../../core/limits.ts'
import type { Env } from '../../ports/env/env.ts'
import { sleep } from '../../ports/env/sleep.ts'

export interface BatchItem<P> {
  /** The item as JSON text. */
  readonly json: string
  /** How many JSON values the text holds at most. */
  readonly values: number
  /** What the caller knows the item by. */
  readonly place: P
}

export interface ItemProblem {
  readonly code: string
  readonly detail: string
  readonly retriable: boolean
}

export interface BatchClient {
  /** Resolves once each item is carried out or refused for good. @returns how many were carried out */
  send<P>(
    what: 'accounts' | 'follows' | 'posts',
    items: readonly BatchItem<P>[],
    refused: (place: P, problem: ItemProblem) => void,
  ): Promise<number>
}

export interface BatchClientOptions {
  readonly env: Env
  /** Address of the server, without `/api/v1`. */
  readonly url: string
  readonly serverKey: string
  readonly notice: (text: string) => void
  /** Ends the import when nothing has succeeded for so long. */
  readonly patienceMs?: number
}

const PATIENCE_MS = 300_000
const DELAYS_MS = [100, 250, 500, 1_000, 2_000, 5_000]
const RETRIED = new Set([408, 429, 500, 502, 503, 504])
const REFUSED_KEY = new Set([401, 403])

/** Half of what the server takes, because characters outside ASCII have several bytes. */
const BATCH_CHARS_MAX = LIMITS.batchBytesMax / 4

interface ItemResult {
  readonly status: number
  readonly problem?: ItemProblem
}

export function createBatchClient(options: BatchClientOptions): BatchClient {
  const { env, notice, patienceMs = PATIENCE_MS } = options
  const address = `${options.url.replace(/\/+$/, '')}/api/v1/batch/`

  /** @returns the results, or why there are none now, with the pause that the server asks for */
  async function post(what: string, items: readonly BatchItem<unknown>[]): Promise<ItemResult[] | Delay> {
    let answer: Response
    let text: string
    try {
      answer = await fetch(address + what, {
        method: 'POST',
        headers: { authorization: `Bearer ${options.serverKey}`, 'content-type': 'application/json' },
        body: `{"items":[${items.map(({ json }) => json).join(',')}]}`,
      })
      text = await answer.text()
    } catch (error) {
      return { reason: reasonOf(error), pauseMs: 0 }
    }
    if (answer.ok) return resultsIn(text, items.length, address + what)
    const reason = `${answer.status} ${text.slice(0, SHOWN_CHARS_MAX)}`
    if (RETRIED.has(answer.status))
      return { reason, pauseMs: 1_000 * Number(answer.headers.get('retry-after') ?? 0) }
    if (REFUSED_KEY.has(answer.status))
      throw new RivuletError('config_invalid', `the server refuses the key; give its server key (${reason})`)
    throw new RivuletError('import_invalid', `${address + what} answers ${reason}; is this a Rivulet server?`)
  }

  return {
    async send(what, items, refused) {
      let done = 0
      let rest = items
      let succeededAtMs = env.monotonicMs()
      for (let attempt = 0; rest.length > 0; attempt++) {
        const results = await post(what, rest)
        const isDelay = !Array.isArray(results)
        const left = isDelay ? rest : rest.filter((_, i) => results[i].problem?.retriable === true)
        if (!isDelay)
          results.forEach(({ problem }, i) => {
            if (problem === undefined) done++
            else if (!problem.retriable) refused(rest[i].place, problem)
          })
        if (left.length === 0) break
        const nowMs = env.monotonicMs()
        if (left.length < rest.length) [succeededAtMs, attempt] = [nowMs, 0]
        const reason = isDelay ? results.reason : firstReason(results)
        if (nowMs - succeededAtMs > patienceMs) throw gaveUp(reason)
        if (attempt === NOTICED_ATTEMPT) notice(`the server cannot take more now, trying again: ${reason}`)
        const delayMs = DELAYS_MS[Math.min(attempt, DELAYS_MS.length - 1)] * (0.5 + env.random() / 2)
        await sleep(env, Math.max(delayMs, isDelay ? results.pauseMs : 0))
        rest = left
      }
      return done
    },
  }
}

interface Delay {
  readonly reason: string
  readonly pauseMs: number
}

/** Characters shown of an answer that is no result. */
const SHOWN_CHARS_MAX = 300
/** The first pauses are too short to speak of. */
const NOTICED_ATTEMPT = 2

function resultsIn(text: string, count: number, address: string): ItemResult[] {
  try {
    const { results } = JSON.parse(text) as { results?: ItemResult[] }
    if (results?.length === count) return results
  } catch {
    // Falls through: an answer that is no JSON comes from something else than Rivulet.
  }
  throw new RivuletError('import_invalid', `${address} does not answer as a Rivulet server; check --url`)
}

const firstReason = (results: readonly ItemResult[]): string => {
  const problem = results.find((result) => result.problem?.retriable === true)?.problem
  return problem === undefined ? 'unknown' : `${problem.code}: ${problem.detail}`
}

const gaveUp = (reason: string): RivuletError =>
  new RivuletError(
    'unavailable',
    `the server did not take anything for too long (${reason}); run the import again within 24 hours, and it goes on where it ended`,
  )

/** `fetch` hides the system's error in the cause of its own. */
function reasonOf(error: unknown): string {
  const inner = error instanceof Error ? (error.cause ?? error) : error
  if (!(inner instanceof Error)) return String(inner)
  return inner.message === '' && 'code' in inner ? String(inner.code) : inner.message
}

/** Cuts items into batches that the server takes: bounded in their number, size and JSON values. */
export async function* inBatches<P>(
  items: AsyncIterable<BatchItem<P>> | Iterable<BatchItem<P>>,
): AsyncGenerator<BatchItem<P>[]> {
  let batch: BatchItem<P>[] = []
  let [chars, values] = [0, 0]
  for await (const item of items) {
    const isFull =
      batch.length === LIMITS.batchItemsMax ||
      chars + item.json.length > BATCH_CHARS_MAX ||
      values + item.values > LIMITS.batchValuesMax / 2
    if (isFull && batch.length > 0) {
      yield batch
      ;[batch, chars, values] = [[], 0, 0]
    }
    batch.push(item)
    chars += item.json.length
    values += item.values
  }
  if (batch.length > 0) yield batch
}
