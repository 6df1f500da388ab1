/**
 * Calls routes within this process, by the names of their operations. A call passes the same steps as a request over
 * HTTP (access, validation, idempotency, handler), but no rate limit.
 */

import type { TObject } from 'typebox'
import { RivuletError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { invalid } from '../core/text.ts'
import { checkAccess, type Caller } from './auth.ts'
import { createBatch, refuseKey, type BatchParts } from './batch.ts'
import { giveBack } from './bytes.ts'
import { onceOf } from './idempotency.ts'
import { parseJson } from './json.ts'
import { asRivuletError, bodyTooLarge } from './problems.ts'
import {
  callReader,
  pathTo,
  type Answer,
  type BatchRoute,
  type CallRouter,
  type Maybe,
  type ReadRoute,
  type RouteSpec,
  type UncheckedCall,
  type WriteRoute,
} from './route.ts'

/** The input of one call. */
export interface Asked {
  /** Called after the other fields are copied: the program may change them while the caller is looked up. */
  readonly caller: () => Promise<Caller>
  /** Path parameters by name, not percent-encoded. */
  readonly params?: Readonly<Record<string, string>> | undefined
  /** As in JSON, fields that are `undefined` count as left out; in the body, too. */
  readonly query?: unknown
  readonly body?: unknown
  readonly idempotencyKey?: string | undefined
}

export interface Operations {
  /** Domains define their routes on it. */
  readonly router: CallRouter
  readonly routes: ReadonlyMap<string, RouteSpec<TObject, TObject>>
  /** @returns the parsed JSON of HTTP's answer, or the text of one of another type; throws a `RivuletError` where HTTP answers with a problem */
  call(name: string, asked: Asked): Promise<unknown>
}

interface AskedCall extends UncheckedCall {
  readonly key: string | undefined
  /** Method and path, as over HTTP: a repeat over HTTP is then known as a repeat. */
  readonly operation: string
}

type Run = (request: AskedCall) => Maybe<Answer>

export function createOperations({ prefix, idempotent, onFault }: BatchParts): Operations {
  const routes = new Map<string, RouteSpec<TObject, TObject>>()
  /** Validators are compiled at the first call of an operation: the routes of the server have their own. */
  const makers = new Map<string, () => Run>()
  const runs = new Map<string, Run>()

  function reading<B extends TObject, Q extends TObject>(route: ReadRoute<B, Q>): Run {
    const callOf = callReader(route)
    return (request) => route.answer(callOf(request))
  }
  function writing<B extends TObject, Q extends TObject>(route: WriteRoute<B, Q>): Run {
    const callOf = callReader(route)
    return async (request) => {
      const call = callOf(request)
      const { key, operation, body, caller } = request
      const once = onceOf({ scope: caller?.account?.number ?? 0, key, operation, body })
      const { answer } = await idempotent.attempt(once, {
        run: (once) => route.run(call, once),
        replay: (eventId) => route.replay(call, eventId),
      })
      return answer
    }
  }
  function batching<I extends TObject>(route: BatchRoute<I>): void {
    const batch = createBatch({ prefix, idempotent, onFault }, route)
    add(batch.spec, () => (request) => {
      refuseKey(request.key)
      return batch.answer(batch.callOf(request).body.items)
    })
  }
  function add<B extends TObject, Q extends TObject>(route: RouteSpec<B, Q>, make: () => Run): void {
    routes.set(route.name, route)
    makers.set(route.name, make)
  }

  function runOf(name: string): Run {
    const run = runs.get(name) ?? makers.get(name)?.()
    if (run === undefined) {
      throw new RivuletError(
        'unavailable',
        `${name} is not available in this process because of its role; call it in one with the role all or api`,
      )
    }
    runs.set(name, run)
    return run
  }

  async function answerOf(name: string, asked: Asked): Promise<unknown> {
    const run = runOf(name)
    const route = routes.get(name) as RouteSpec<TObject, TObject>
    const request = requestOf(prefix, route, asked)
    const caller = await asked.caller()
    checkAccess(caller, route.access)
    return contentOf(await run({ ...request, caller }))
  }

  return {
    router: {
      read: (route) => add(route, () => reading(route)),
      write: (route) => add(route, () => writing(route)),
      batch: batching,
    },
    routes,
    call: (name, asked) =>
      answerOf(name, asked).catch((error: unknown) => {
        throw asRivuletError(error instanceof Error ? error : new Error(String(error)))
      }),
  }
}

function contentOf({ body, headers }: Answer): unknown {
  if (body === undefined) return undefined
  if (!Buffer.isBuffer(body)) return JSON.parse(JSON.stringify(body)) as unknown
  try {
    const text = body.toString()
    return headers?.['content-type'] === undefined ? (JSON.parse(text) as unknown) : text
  } finally {
    giveBack(body)
  }
}

function requestOf(
  prefix: string,
  route: RouteSpec<TObject, TObject>,
  asked: Asked,
): Omit<AskedCall, 'caller'> {
  const { params = {}, query, idempotencyKey } = asked
  return {
    key: idempotencyKey,
    operation: `${route.method} ${pathTo(prefix + route.path, params)}`,
    params,
    query: Object.fromEntries(
      Object.entries((query ?? {}) as object).filter(([, value]) => value !== undefined),
    ),
    body: bodyOf(asked.body, route.bodyMax),
  }
}

/**
 * A copy of the body by way of JSON text: the program cannot change it any more, and whatever HTTP refuses is refused
 * here, too.
 */
function bodyOf(body: unknown, max: RouteSpec<TObject, TObject>['bodyMax']): unknown {
  const { bytes: bytesMax, values } = max ?? { bytes: LIMITS.bodyBytesMax, values: undefined }
  let text: string | undefined
  try {
    text = JSON.stringify(body)
  } catch (error) {
    throw invalid('', `must be JSON (${error instanceof Error ? error.message : String(error)})`)
  }
  const bytes = Buffer.from(text ?? '')
  if (bytes.length > bytesMax) throw bodyTooLarge(bytesMax)
  return parseJson(bytes, values)
}
