/**
 * Routes as data: who may call, the input, the answers. Every request passes the same steps: caller → access → rate
 * limit → body → handler → answer. The OpenAPI document is generated from the same data.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Static, TObject, TSchema } from 'typebox'
import Type from 'typebox'
import { RivuletError, type ErrorCode } from '../core/errors.ts'
import { invalid } from '../core/text.ts'
import type { Idempotency } from '../engine/events.ts'
import { judgeContent } from './content.ts'
import { ACTING_HEADER, checkAccess, type Access, type Auth, type Caller } from './auth.ts'
import { IDEMPOTENCY_HEADER, IDEMPOTENCY_KEY_PATTERN, type IdempotentRequests } from './idempotency.ts'
import type { RateLimits, RequestKind } from './limits.ts'
import type { Metrics, RouteStats } from './metrics.ts'
import type { Outbound } from './outbound.ts'
import { ACCOUNT_HEADER_PATTERN, EXAMPLE_ID, problemResponses, type ProblemKinds } from './schemas.ts'
import { validatorOf, type Validator } from './validation.ts'

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | undefined
    stats: RouteStats | undefined
    /** The body of the answer, until it has been sent. */
    sent: Buffer | undefined
  }
}

export type Maybe<T> = T | Promise<T>

export interface RouteSpec<B extends TObject, Q extends TObject> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below the prefix of the API; `:name` is a parameter. */
  readonly path: string
  /** The operation's name in the document, in generated clients and in the library. */
  readonly name: string
  readonly summary: string
  readonly description?: string
  readonly tag: string
  readonly access: Access
  readonly params?: Readonly<Record<string, TSchema>>
  readonly query?: Q
  readonly body?: B
  /** Schemas by status; a string names a shared one. */
  readonly answers: Readonly<Record<number, string | TSchema>>
  readonly problems?: readonly ErrorCode[]
}

export interface Call<B, Q> {
  readonly caller: Caller
  readonly params: Readonly<Record<string, string>>
  readonly query: Q
  readonly body: B
}

/** The body is an object, or JSON that is encoded already. */
export interface Answer {
  readonly status: number
  readonly body: object | Buffer
}

export interface ReadRoute<B extends TObject, Q extends TObject> extends RouteSpec<B, Q> {
  answer(call: Call<Static<B>, Static<Q>>): Maybe<Answer>
}

export interface WriteRoute<B extends TObject, Q extends TObject> extends RouteSpec<B, Q> {
  run(call: Call<Static<B>, Static<Q>>, once: Idempotency | undefined): Promise<Answer>
  /** Makes the answer again of a request that became this event. */
  replay(call: Call<Static<B>, Static<Q>>, eventId: number): Promise<Answer>
}

export interface Router {
  read<B extends TObject, Q extends TObject>(route: ReadRoute<B, Q>): void
  write<B extends TObject, Q extends TObject>(route: WriteRoute<B, Q>): void
}

export interface RouterParts {
  readonly app: FastifyInstance
  readonly prefix: string
  readonly auth: Auth
  readonly limits: RateLimits | undefined
  readonly idempotent: IdempotentRequests
  readonly metrics: Metrics
  readonly outbound: Outbound
}

type Handle<B, Q> = (call: Call<B, Q>, request: FastifyRequest, reply: FastifyReply) => Maybe<Answer>

export const ok = (body: object | Buffer): Answer => ({ status: 200, body })
export const created = (body: object | Buffer): Answer => ({ status: 201, body })

const JSON_TYPE = 'application/json; charset=utf-8'

export function createRouter(parts: RouterParts): Router {
  function define<B extends TObject, Q extends TObject>(
    spec: RouteSpec<B, Q>,
    kind: RequestKind,
    handle: Handle<Static<B>, Static<Q>>,
  ): void {
    const url = parts.prefix + spec.path
    const callOf = callReader(spec)
    parts.app.route({
      method: spec.method,
      url,
      schema: schemaOf(spec, kind),
      onRequest: gate(parts, spec.access, kind, parts.metrics.route(spec.method, url)),
      ...(spec.method === 'GET' ? {} : { preParsing: judgeContent }),
      handler(request, reply) {
        const answer = handle(callOf(request), request, reply)
        if (!(answer instanceof Promise)) return send(parts, reply, answer)
        answer.then(
          (ready) => send(parts, reply, ready),
          (error: unknown) => void reply.send(error),
        )
      },
    })
  }

  return {
    read: (route) => define(route, 'read', (call) => route.answer(call)),
    write: (route) =>
      define(route, 'write', async (call, request, reply) => {
        const { answer, replayed } = await parts.idempotent.attempt(request, {
          run: (once) => route.run(call, once),
          replay: (eventId) => route.replay(call, eventId),
        })
        if (replayed) reply.header('idempotency-replayed', 'true')
        return answer
      }),
  }
}

function send({ outbound }: RouterParts, reply: FastifyReply, { status, body }: Answer): void {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body))
  reply.request.sent = bytes
  void reply.code(status).header('content-type', JSON_TYPE).send(bytes)
  outbound.sent(reply.raw, bytes.length)
}

/**
 * Identifies the caller and checks access and rate limit. Runs before the body is read, so that nobody uploads half a
 * megabyte only to learn that the token is missing.
 */
function gate({ auth, limits, outbound }: RouterParts, access: Access, kind: RequestKind, stats: RouteStats) {
  function admit(caller: Caller, request: FastifyRequest, reply: FastifyReply): void | Promise<void> {
    request.caller = caller
    checkAccess(caller, access)
    if (outbound.isFull)
      throw new RivuletError(
        'overloaded',
        'too many answers wait for clients that read slowly; try again later',
      )
    if (limits !== undefined && caller.account !== undefined) return limits.admit(caller.account, kind, reply)
  }
  return (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void => {
    request.stats = stats
    const known = auth.known(request)
    if (known === undefined) {
      auth
        .identify(request)
        .then((caller) => admit(caller, request, reply))
        .then(() => done(), done)
      return
    }
    try {
      const admitted = admit(known, request, reply)
      if (admitted === undefined) done()
      else admitted.then(() => done(), done)
    } catch (error) {
      done(error as Error)
    }
  }
}

/** The parts of a request, not validated yet. */
export type RawCall = Pick<FastifyRequest, 'caller' | 'params' | 'query' | 'body'>

/** @returns validates a request and gives its typed parts; throws `invalid_request` */
export function callReader<B extends TObject, Q extends TObject>({ query, body }: RouteSpec<B, Q>) {
  const queryOf = validatorOf(query ?? NO_QUERY, 'query') as Validator<Static<Q>>
  const bodyOf: Validator<Static<B>> = body === undefined ? noBody : validatorOf(body, 'body')
  return (request: RawCall): Call<Static<B>, Static<Q>> => ({
    caller: request.caller as Caller,
    params: request.params as Readonly<Record<string, string>>,
    query: queryOf(request.query),
    body: bodyOf(request.body),
  })
}

const NO_QUERY = Type.Object({}, { additionalProperties: false })

function noBody(body: unknown): never {
  const isEmpty =
    body === undefined || (typeof body === 'object' && body !== null && Object.keys(body).length === 0)
  if (!isEmpty) throw invalid('', 'must be empty: this route takes no body')
  return undefined as never
}

const ACTING = Type.Optional(
  Type.String({
    description:
      `With the server key: the account to act for, as \`${EXAMPLE_ID}\` or \`ext:nova\`, percent-encoded as in an ` +
      'address.',
    pattern: ACCOUNT_HEADER_PATTERN,
  }),
)
const ONCE = Type.Optional(
  Type.String({
    description: 'Makes the write safe to repeat for 24 hours: visible ASCII characters, new for each write.',
    pattern: IDEMPOTENCY_KEY_PATTERN,
    maxLength: 255,
  }),
)

function schemaOf<B extends TObject, Q extends TObject>(spec: RouteSpec<B, Q>, kind: RequestKind): object {
  const { access, params, query, body, answers } = spec
  const kinds: ProblemKinds = {
    callers: true,
    params: params !== undefined,
    body: spec.method !== 'GET',
    writes: kind === 'write',
  }
  const headers = {
    ...(access === 'server' ? {} : { [ACTING_HEADER]: ACTING }),
    ...(kind === 'write' ? { [IDEMPOTENCY_HEADER]: ONCE } : {}),
  }
  const successes = Object.entries(answers).map(([status, schema]) => [
    status,
    typeof schema === 'string'
      ? { description: schema, $ref: `${schema}#` }
      : { description: 'Done.', ...schema },
  ])
  return {
    operationId: spec.name,
    summary: spec.summary,
    ...(spec.description === undefined ? {} : { description: spec.description }),
    tags: [spec.tag],
    security: access === 'server' ? [{ server: [] }] : [{ account: [] }, { server: [] }],
    ...(params === undefined ? {} : { params: Type.Object({ ...params }) }),
    ...(query === undefined ? {} : { querystring: query }),
    ...(Object.keys(headers).length === 0 ? {} : { headers: Type.Object(headers) }),
    ...(body === undefined ? {} : { body }),
    response: {
      ...Object.fromEntries(successes),
      ...problemResponses(spec.problems ?? [], kinds),
    },
  }
}
