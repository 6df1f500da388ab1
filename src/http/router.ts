/**
 * Serves routes over HTTP with Fastify. Every request passes the same steps: caller → access → rate limit → body →
 * handler → answer.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { TObject, TSchema } from 'typebox'
import { assert, RivuletError } from '../core/errors.ts'
import { pathOf, type AccessLog } from './access-log.ts'
import { senderOf, type Sender } from './answers.ts'
import { checkAccess, NOBODY, type Auth, type Caller } from './auth.ts'
import { createBatch, refuseKey } from './batch.ts'
import { networkOf } from './client-network.ts'
import { takeJson, takeRaw } from './content.ts'
import { setEventHeaders } from './event-stream.ts'
import { IDEMPOTENCY_HEADER, onceOf, type IdempotentRequests, type KeyedRequest } from './idempotency.ts'
import type { HitResult } from '../ports/ephemeral/ephemeral.ts'
import type { Bucket, RateLimits, RequestKind } from './limits.ts'
import type { Metrics } from './metrics.ts'
import type { Outbound } from './outbound.ts'
import { rawSchema, routeSchema, streamSchema } from './route-schema.ts'
import {
  callReader,
  type Answer,
  type Call,
  type Maybe,
  type RawRoute,
  type RouteHead,
  type Router,
  type RouteSpec,
  type StreamRoute,
  type UncheckedCall,
} from './route.ts'
import type { Streams } from './streams.ts'

export interface RouterParts {
  readonly app: FastifyInstance
  readonly prefix: string
  readonly auth: Auth
  readonly limits: RateLimits | undefined
  readonly idempotent: IdempotentRequests
  readonly metrics: Metrics
  readonly outbound: Outbound
  readonly streams: Streams
  readonly log: AccessLog
  /** The form of the header that names the account to act for. */
  readonly actingSchema: TSchema
}

/** How a route is served. */
interface Served<B, Q> {
  /** As what its requests count. */
  readonly kind: RequestKind
  /** It takes an idempotency key. */
  readonly keyed: boolean
  callOf(request: UncheckedCall): Call<B, Q>
}

type Handle<B, Q> = (call: Call<B, Q>, request: FastifyRequest, reply: FastifyReply) => Maybe<Answer>

/** The largest `bodyBytesMax` of a raw route: a body is in memory as a whole. */
const RAW_BODY_BYTES_MAX = 4 * 2 ** 20
const NO_BYTES = Buffer.alloc(0)

export function createRouter(parts: RouterParts): Router {
  return {
    read: (route) =>
      serve(parts, route, { kind: 'read', keyed: false, callOf: callReader(route) }, (call) =>
        route.answer(call),
      ),
    write: (route) =>
      serve(
        parts,
        route,
        { kind: 'write', keyed: true, callOf: callReader(route) },
        async (call, request, reply) => {
          const { answer, replayed } = await parts.idempotent.attempt(onceOf(keyedOf(request)), {
            run: (once) => route.run(call, once),
            replay: (eventId) => route.replay(call, eventId),
          })
          if (replayed) reply.header('idempotency-replayed', 'true')
          return answer
        },
      ),
    batch(route) {
      const { prefix, idempotent, log } = parts
      const batch = createBatch({ prefix, idempotent, onFault: log.batchFailed }, route)
      const served = { kind: 'write', keyed: false, callOf: batch.callOf } as const
      serve(parts, batch.spec, served, (call, { headers }) => {
        refuseKey(headers[IDEMPOTENCY_HEADER])
        return batch.answer(call.body.items)
      })
    },
    raw: (route) => serveRaw(parts, route),
    stream: (route) => serveStream(parts, route),
  }
}

function serve<B, Q>(
  parts: RouterParts,
  spec: RouteSpec<any, any>,
  { kind, keyed, callOf }: Served<B, Q>,
  handle: Handle<B, Q>,
): void {
  const { bodyMax } = spec
  const send = senderOf(parts, spec, kind === 'write')
  parts.app.route({
    method: spec.method,
    url: parts.prefix + spec.path,
    schema: routeSchema(spec, keyed, parts.actingSchema),
    onRequest: gate(parts, spec, spec.method, kind),
    ...(spec.method === 'GET' ? {} : { preParsing: takeJson }),
    ...(bodyMax && { bodyLimit: bodyMax.bytes, config: { valuesMax: bodyMax.values } }),
    handler: (request, reply) => answer(send, reply, handle(callOf(request), request, reply)),
  })
}

/** Callbacks count as writes: they change something, or are sent to. */
function serveRaw(parts: RouterParts, route: RawRoute): void {
  const { method, bodyBytesMax: bodyLimit, types, takes } = route
  assert(bodyLimit > 0 && bodyLimit <= RAW_BODY_BYTES_MAX, `the body of ${route.name} fits in memory`)
  const send = senderOf(parts, route, true)
  parts.app.route({
    method,
    url: parts.prefix + route.path,
    bodyLimit,
    schema: rawSchema(route, parts.actingSchema),
    onRequest: gate(parts, route, method, 'write'),
    preParsing: takeRaw(types, takes),
    handler(request, reply) {
      const { caller = NOBODY, params, url: target, taken: headers = {}, body } = request
      const named = params as Readonly<Record<string, string>>
      const bytes = Buffer.isBuffer(body) ? body : NO_BYTES
      answer(send, reply, route.answer({ caller, params: named, target, headers, body: bytes }))
    },
  })
}

function serveStream<Q extends TObject>(parts: RouterParts, route: StreamRoute<Q>): void {
  const callOf = callReader<never, Q>(route)
  const url = parts.prefix + route.path
  const stats = parts.metrics.stream(url)

  async function open(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const call = callOf(request)
    const stream = parts.streams.create(request, reply, stats)
    if (stream.signal.aborted) return
    try {
      await route.open(call, stream)
    } catch (error) {
      if (stream.failed(error)) throw error
      return
    }
    stream.opened()
  }

  parts.app.route({
    method: 'GET',
    url,
    schema: streamSchema(route, parts.actingSchema),
    onRequest: gate(parts, route, 'GET', 'read'),
    handler(request, reply) {
      if (request.method === 'HEAD') return void setEventHeaders(reply).send()
      open(request, reply).catch((error: unknown) => void reply.send(error))
    },
  })
}

function answer(send: Sender, reply: FastifyReply, ready: Maybe<Answer>): void {
  if (!(ready instanceof Promise)) return send(reply, ready)
  ready.then(
    (answered) => send(reply, answered),
    (error: unknown) => void reply.send(error),
  )
}

function keyedOf({ method, url, headers, body, caller }: FastifyRequest): KeyedRequest {
  const key = headers[IDEMPOTENCY_HEADER]
  return {
    scope: caller?.account?.number ?? 0,
    key: key === undefined ? undefined : String(key),
    operation: `${method} ${pathOf({ url })}`,
    body,
  }
}

/**
 * Identifies the caller and checks access and rate limit. Runs before the body is read, so that nobody uploads half a
 * megabyte only to learn that the token is missing.
 */
function gate(parts: RouterParts, route: RouteHead, method: string, kind: RequestKind) {
  const { auth, limits, outbound, metrics, prefix } = parts
  const { access, perMinute, name } = route
  const stats = metrics.route(method, prefix + route.path)
  const bucket = perMinute === undefined ? limits?.buckets[kind] : { name, perMinute }

  function admit(caller: Caller, request: FastifyRequest): Promise<HitResult | undefined> | undefined {
    request.caller = caller
    checkAccess(caller, access)
    if (outbound.isFull)
      throw new RivuletError(
        'overloaded',
        'too many answers wait for clients that read slowly; try again later',
      )
    const who = access === 'public' ? networkOf(request.raw.socket.remoteAddress) : caller.account?.number
    if (limits === undefined || bucket === undefined || who === undefined) return undefined
    return limits.admit(who, bucket)
  }

  return (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void => {
    request.stats = stats
    const known = access === 'public' ? NOBODY : auth.known(request)
    if (known === undefined) {
      auth
        .identify(request)
        .then((caller) => admit(caller, request))
        .then((hit) => done(told(reply, bucket, hit)), done)
      return
    }
    try {
      const admitted = admit(known, request)
      if (admitted === undefined) done()
      else admitted.then((hit) => done(told(reply, bucket, hit)), done)
    } catch (error) {
      done(error as Error)
    }
  }
}

/** Sets the headers of a rate limit. @returns `rate_limited` for a request that is refused */
function told(
  reply: FastifyReply,
  bucket: Bucket | undefined,
  hit: HitResult | undefined,
): RivuletError | undefined {
  if (bucket === undefined || hit === undefined) return undefined
  const { name, perMinute } = bucket
  reply.header('ratelimit-limit', String(perMinute))
  reply.header('ratelimit-remaining', String(hit.remaining))
  reply.header('ratelimit-reset', String(Math.ceil(hit.resetMs / 1_000)))
  if (hit.allowed) return undefined
  const what = name === 'read' || name === 'write' ? `${name}s` : `requests to ${name}`
  return new RivuletError(
    'rate_limited',
    `a caller may send at most ${perMinute} ${what} a minute; wait as long as Retry-After says`,
    { retryAfterMs: hit.retryAfterMs },
  )
}
