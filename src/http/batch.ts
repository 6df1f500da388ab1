/**
 * Many writes in one request. Each item of a batch stands for one request to a single route: it is validated, is known
 * as a repeat by its own idempotency key, and has its own result, in the order of the items. One that fails leaves the
 * others alone. If the process dies half-way, repeating the batch carries out only what is missing.
 */

import Type, { type Static, type TObject } from 'typebox'
import { RivuletError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { invalid } from '../core/text.ts'
import { giveBack } from './bytes.ts'
import { IDEMPOTENCY_HEADER, onceOf, type IdempotentRequests } from './idempotency.ts'
import { asRivuletError, problemOf } from './problems.ts'
import {
  callReader,
  ok,
  pathTo,
  type Answer,
  type BatchRoute,
  type BatchWrite,
  type Call,
  type RouteSpec,
  type UncheckedCall,
} from './route.ts'
import { validatorOf, type Validator } from './validation.ts'

/** The body of a batch before its items are looked at: each is validated on its own. */
const Unread = Type.Object(
  { items: Type.Array(Type.Unknown(), { minItems: 1, maxItems: LIMITS.batchItemsMax }) },
  { additionalProperties: false },
)

export interface BatchParts {
  readonly prefix: string
  readonly idempotent: IdempotentRequests
  /** Told of items that failed because of the system; once for each code in a batch. */
  readonly onFault: (batch: string, error: RivuletError, cause: unknown) => void
}

export interface Batch {
  /** As a route of the document. */
  readonly spec: RouteSpec<TObject, TObject>
  /** Checks a request but for its items, each of which is validated on its own. */
  callOf(request: UncheckedCall): Call<Static<typeof Unread>, unknown>
  answer(items: readonly unknown[]): Promise<Answer>
}

/** Batches of one process that are under way at a time; each holds its body and its results in memory. */
const BATCHES_MAX = 32
/** Items of one batch that are under way at a time. */
const ITEMS_AT_ONCE = 256
let underWay = 0

export function createBatch<I extends TObject>(parts: BatchParts, route: BatchRoute<I>): Batch {
  const { body, item, answer, prepare, ...head } = route
  const itemOf: Validator<Static<I>> = validatorOf(item, 'body')

  async function run(items: readonly unknown[]): Promise<Answer> {
    const writes = await prepared(items, itemOf, prepare)
    const tell = tellingOnce((error, cause) => parts.onFault(route.name, error, cause))
    const carryOut = createRunner(parts, tell)
    const results = new Array<Result>(writes.length)
    let next = 0
    const takeTurns = async () => {
      while (next < writes.length) {
        const at = next++
        results[at] = await carryOut(writes[at])
      }
    }
    await Promise.all(Array.from({ length: Math.min(ITEMS_AT_ONCE, writes.length) }, takeTurns))
    return ok(joined(results))
  }

  return {
    spec: {
      ...head,
      method: 'POST',
      access: 'server',
      body,
      answers: { 200: answer },
      bodyMax: { bytes: LIMITS.batchBytesMax, values: LIMITS.batchValuesMax },
    },
    callOf: callReader({ body: Unread }),
    async answer(items) {
      if (underWay >= BATCHES_MAX)
        throw new RivuletError('overloaded', 'too many batches are under way; wait for their answers')
      underWay++
      try {
        return await run(items)
      } finally {
        underWay--
      }
    },
  }
}

/** Refuses a key for the whole batch: it would protect nothing. */
export function refuseKey(key: unknown): void {
  if (key === undefined) return
  throw invalid(
    `header.${IDEMPOTENCY_HEADER}`,
    'is for single writes: give each item of a batch an idempotency_key',
  )
}

async function prepared<T>(
  items: readonly unknown[],
  itemOf: Validator<T>,
  prepare: (items: readonly T[]) => Promise<readonly (BatchWrite | RivuletError)[]>,
): Promise<(BatchWrite | RivuletError)[]> {
  const all = new Array<BatchWrite | RivuletError>(items.length)
  const valid: T[] = []
  const places: number[] = []
  for (let at = 0; at < items.length; at++) {
    try {
      valid.push(itemOf(items[at]))
      places.push(at)
    } catch (error) {
      all[at] = asRivuletError(error as Error)
    }
  }
  const writes = valid.length === 0 ? [] : await prepare(valid)
  places.forEach((at, i) => (all[at] = writes[i]))
  return all
}

/** An answer of a single route, or the error in its place. */
type Result = Answer | RivuletError

function createRunner(
  { prefix, idempotent }: BatchParts,
  tell: (error: RivuletError, cause: unknown) => void,
) {
  /** By key or turn, the last write that was begun with it. */
  const last = new Map<string, Promise<Result>>()

  async function attempt(write: BatchWrite, before: readonly (Promise<Result> | undefined)[]) {
    try {
      // None of these rejects.
      for (const one of before) if (one !== undefined) await one
      const { scope, key, method, path, params, body } = write
      const once =
        key === undefined
          ? undefined
          : onceOf(
              { scope, key, operation: `${method} ${pathTo(prefix + path, params)}`, body },
              '/idempotency_key',
            )
      return (await idempotent.attempt(once, write)).answer
    } catch (error) {
      const known = asRivuletError(error instanceof Error ? error : new Error(String(error)))
      if (known.status >= 500) tell(known, error)
      return known
    }
  }

  return (write: BatchWrite | RivuletError): Result | Promise<Result> => {
    if (write instanceof RivuletError) return write
    const { scope, key, turn } = write
    const names: string[] = []
    if (key !== undefined) names.push(`key ${scope} ${key}`)
    if (turn !== undefined) names.push(`turn ${turn}`)
    const running = attempt(
      write,
      names.map((name) => last.get(name)),
    )
    for (const name of names) last.set(name, running)
    return running
  }
}

function tellingOnce(tell: (error: RivuletError, cause: unknown) => void): typeof tell {
  const told = new Set<string>()
  return (error, cause) => {
    if (told.has(error.code)) return
    told.add(error.code)
    tell(error, cause)
  }
}

const OPENS = Buffer.from('{"results":[')
const COMMA = Buffer.from(',')
const CLOSES = Buffer.from(']}')

function joined(results: readonly Result[]): Buffer {
  const parts: Buffer[] = [OPENS]
  const stitched: Buffer[] = []
  for (const result of results) {
    if (parts.length > 1) parts.push(COMMA)
    if (result instanceof RivuletError) parts.push(Buffer.from(JSON.stringify(failureOf(result))))
    else if (Buffer.isBuffer(result.body)) {
      stitched.push(result.body)
      parts.push(Buffer.from(`{"status":${result.status},`), result.body.subarray(1))
    } else parts.push(Buffer.from(JSON.stringify({ status: result.status, ...result.body })))
  }
  parts.push(CLOSES)
  const bytes = Buffer.concat(parts)
  stitched.forEach(giveBack)
  return bytes
}

function failureOf(error: RivuletError) {
  const { status, code, detail, errors, retriable } = problemOf(error, '')
  return { status, problem: { code, detail, ...(errors && { errors }), retriable } }
}
