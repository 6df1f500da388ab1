/** The HTTP server: Fastify with Rivulet's limits, errors, request ids and access log. It knows none of the routes. */

import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { IncomingMessage, RequestListener, Server } from 'node:http'
import { notFound } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import type { Env } from '../ports/env/env.ts'
import { recordServed, type AccessLog } from './access-log.ts'
import type { Caller } from './auth.ts'
import { giveBack } from './bytes.ts'
import { acceptBodies } from './content.ts'
import { corsHook } from './cors.ts'
import type { Metrics, RouteStats } from './metrics.ts'
import { asRivuletError, errorHandler, sendProblem } from './problems.ts'
import { openWire, receive, refuseConnection } from './wire.ts'

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | undefined
    stats: RouteStats | undefined
    /** The body of the answer, until it has been sent. */
    sent: Buffer | undefined
    /** Headers that a raw route takes, as they were sent. */
    taken: Readonly<Record<string, string | undefined>> | undefined
    /** Counted and logged before its answer ends: a stream. */
    isRecorded: boolean
  }
}

const HTTP_LIMITS = {
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  /**
   * A socket without traffic in either direction is closed. Later than a request times out, so that a client that
   * stopped sending has had its answer by then.
   */
  connectionTimeoutMs: 40_000,
  /** Above the idle time of common proxies, so that they close first. */
  keepAliveTimeoutMs: 72_000,
  timeoutCheckIntervalMs: 2_000,
  headerBytesMax: 16_384,
  connectionsMax: 20_000,
} as const

export interface ServerOptions {
  readonly env: Env
  readonly log: AccessLog
  /** Without it, requests are not counted. */
  readonly metrics?: Metrics
  readonly corsOrigins: readonly string[]
  /** Longer parameters in an address are refused. By default, parameters may be as long as any id. */
  readonly paramCharsMax?: number
}

/** Decimal digits of 2^53. */
const ID_CHARS_MAX = 16

/** For JSON answers; HTML pages set a policy of their own. */
const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
} as const

export function createServer({
  env,
  log,
  metrics,
  corsOrigins,
  paramCharsMax = ID_CHARS_MAX,
}: ServerOptions): FastifyInstance {
  const record = recorder(log, metrics)
  const app: FastifyInstance = Fastify({
    bodyLimit: LIMITS.bodyBytesMax,
    serverFactory: (handle) => openServer(env, handle),
    routerOptions: { maxParamLength: paramCharsMax },
    genReqId: requestIds(env),
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => refuseConnection(app.server, error, socket),
    // For an address that cannot be routed Fastify runs no hooks, so their work is done here.
    frameworkErrors(error, request, reply) {
      introduce(request, reply)
      reply.raw.once('finish', () => record(request, reply))
      sendProblem(reply, asRivuletError(error))
    },
  })
  app.decorateRequest('caller', undefined)
  app.decorateRequest('stats', undefined)
  app.decorateRequest('sent', undefined)
  app.decorateRequest('taken', undefined)
  app.decorateRequest('isRecorded', false)
  // The schemas are for the document; route.ts validates requests, with messages of its own.
  app.setValidatorCompiler(() => () => true)
  app.setSerializerCompiler(() => (data) => JSON.stringify(data))
  app.setErrorHandler(errorHandler(log))
  app.setNotFoundHandler(() => {
    throw notFound()
  })
  acceptBodies(app)
  if (corsOrigins.length > 0) app.addHook('onRequest', corsHook(corsOrigins))
  app.addHook('onRequest', welcome)
  app.addHook('onResponse', (request, reply, done) => {
    if (!request.isRecorded) record(request, reply)
    // The memory of an answer that broke off is not used again: the socket may still hold it.
    if (request.sent !== undefined && reply.raw.writableFinished) giveBack(request.sent)
    request.sent = undefined
    done()
  })
  return app
}

function openServer(env: Env, handle: RequestListener): Server {
  const server = openWire(
    env,
    {
      headersTimeout: HTTP_LIMITS.headersTimeoutMs,
      requestTimeout: HTTP_LIMITS.requestTimeoutMs,
      keepAliveTimeout: HTTP_LIMITS.keepAliveTimeoutMs,
      maxHeaderSize: HTTP_LIMITS.headerBytesMax,
      connectionsCheckingInterval: HTTP_LIMITS.timeoutCheckIntervalMs,
      // wire.ts checks it instead, and answers with problem details.
      requireHostHeader: false,
    },
    handle,
  )
  server.timeout = HTTP_LIMITS.connectionTimeoutMs
  server.maxConnections = HTTP_LIMITS.connectionsMax
  return server
}

/** Before the body is read: sets the headers of every answer; refuses a faulty head and an unknown address. */
function welcome(request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void {
  introduce(request, reply)
  done(receive(request.raw) ?? (request.is404 ? notFound() : undefined))
}

function introduce(request: FastifyRequest, reply: FastifyReply): void {
  reply.headers(SECURITY_HEADERS)
  reply.header('x-request-id', request.id)
}

/** The client's own `X-Request-Id` if it is safe in a log, else a number after a text that is new in every run. */
function requestIds(env: Env): (request: IncomingMessage) => string {
  const run = Buffer.from(env.randomBytes(6)).toString('base64url')
  let count = 0
  return ({ headers }) => {
    const given = headers['x-request-id']
    if (typeof given === 'string' && /^[\w.:-]{1,64}$/.test(given)) return given
    return `${run}-${(count++).toString(36)}`
  }
}

function recorder(log: AccessLog, metrics: Metrics | undefined) {
  const other = metrics?.route('other', 'other')
  return (request: FastifyRequest, reply: FastifyReply): void => {
    recordServed(log, request.stats ?? other, request, reply)
  }
}
