/**
 * Routes called within this process, by the names of their operations: what a request over HTTP passes, from the
 * caller to the answer, without HTTP. Nobody is limited in how often.
 */

import type { TObject } from 'typebox'
import { RivuletError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { invalid } from '../core/text.ts'
import { checkAccess, type Caller } from './auth.ts'
import { giveBack } from './bytes.ts'
import { IDEMPOTENCY_HEADER, type IdempotentRequests, type KeyedRequest } from './idempotency.ts'
import { parseJson } from './json.ts'
import { asRivuletError, BODY_TOO_LARGE } from './problems.ts'
import {
  callReader,
  type Answer,
  type Maybe,
  type RawCall,
  type ReadRoute,
  type Router,
  type RouteSpec,
  type WriteRoute,
} from './route.ts'

export interface Asked {
  /** Asked for once the rest is taken: what is given may change afterwards. */
  readonly caller: () => Promise<Caller>
  /** By their names in the path, as they are: not encoded. */
  readonly params?: Readonly<Record<string, string>> | undefined
  /** As in JSON, what is `undefined` is not there; so in the body. */
  readonly query?: unknown
  readonly body?: unknown
  readonly idempotencyKey?: string | undefined
}

export interface Operations {
  /** Takes the routes in. */
  readonly router: Router
  readonly routes: ReadonlyMap<string, RouteSpec<TObject, TObject>>
  /** @returns what HTTP would answer, parsed; throws a `RivuletError` where HTTP answers with a problem */
  call(name: string, asked: Asked): Promise<unknown>
}

type Run = (request: RawCall & KeyedRequest) => Maybe<Answer>

export function createOperations(prefix: string, idempotent: IdempotentRequests): Operations {
  const routes = new Map<string, RouteSpec<TObject, TObject>>()
  /** Validators are made when an operation is first called: a server has its own. */
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
      const { answer } = await idempotent.attempt(request, {
        run: (once) => route.run(call, once),
        replay: (eventId) => route.replay(call, eventId),
      })
      return answer
    }
  }
  function add<B extends TObject, Q extends TObject>(route: RouteSpec<B, Q>, make: () => Run): void {
    routes.set(route.name, route)
    makers.set(route.name, make)
  }

  function runOf(name: string): Run {
    const run = runs.get(name) ?? makers.get(name)?.()
    if (run === undefined) {
      throw new RivuletError('unavailable', `${name} is not answered here: this process has another role`)
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
    const { body } = await run({ ...request, caller })
    if (!Buffer.isBuffer(body)) return JSON.parse(JSON.stringify(body)) as unknown
    try {
      return JSON.parse(body.toString()) as unknown
    } finally {
      giveBack(body)
    }
  }

  return {
    router: {
      read: (route) => add(route, () => reading(route)),
      write: (route) => add(route, () => writing(route)),
    },
    routes,
    call: (name, asked) =>
      answerOf(name, asked).catch((error: unknown) => {
        throw asRivuletError(error instanceof Error ? error : new Error(String(error)))
      }),
  }
}

/** As it would have come over HTTP: a repeat there and a repeat here are the same. */
function requestOf(
  prefix: string,
  route: RouteSpec<TObject, TObject>,
  asked: Asked,
): Omit<RawCall & KeyedRequest, 'caller'> {
  const { params = {}, query, idempotencyKey } = asked
  const path = route.path.replace(/:(\w+)/g, (_part, name: string) => encoded(params[name], `params.${name}`))
  return {
    method: route.method,
    url: prefix + path,
    headers: idempotencyKey === undefined ? {} : { [IDEMPOTENCY_HEADER]: idempotencyKey },
    params,
    query: Object.fromEntries(
      Object.entries((query ?? {}) as object).filter(([, value]) => value !== undefined),
    ),
    body: bodyOf(asked.body),
  }
}

/** The colon of `ext:` stands in a path as it is. */
function encoded(param: unknown, path: string): string {
  if (typeof param !== 'string' || !param.isWellFormed()) throw invalid(path, 'must be a well-formed string')
  return encodeURIComponent(param).replaceAll('%3A', ':')
}

/** A copy as JSON has it: nobody changes it on the way, and what HTTP would refuse is refused. */
function bodyOf(body: unknown): unknown {
  let text: string | undefined
  try {
    text = JSON.stringify(body)
  } catch (error) {
    throw invalid('', `must be JSON (${error instanceof Error ? error.message : String(error)})`)
  }
  const bytes = Buffer.from(text ?? '')
  if (bytes.length > LIMITS.bodyBytesMax) {
    throw new RivuletError('payload_too_large', BODY_TOO_LARGE)
  }
  return parseJson(bytes)
}
