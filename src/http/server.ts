/**
 * The HTTP server: Fastify with our own bounds, errors, ids and log line. Nothing here knows what is served.
 */

import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { IncomingMessage, RequestListener, Server } from 'node:http'
import { notFound } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import type { Env } from '../ports/env/env.ts'
import type { AccessLog } from './access-log.ts'
import { giveBack } from './bytes.ts'
import { acceptJsonOnly } from './content.ts'
import { corsHook } from './cors.ts'
import type { Metrics } from './metrics.ts'
import { asRivuletError, errorHandler, sendProblem } from './problems.ts'
import { openWire, receive, refuseConnection } from './wire.ts'

const HTTP_LIMITS = {
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  /** A socket on which nothing moves, neither what it asks nor what it is to be told; who stopped asking was told by then. */
  connectionTimeoutMs: 40_000,
  /** Above the idle time of common proxies, so that they close first. */
  keepAliveTimeoutMs: 72_000,
  timeoutCheckIntervalMs: 2_000,
  headerBytesMax: 16_384,
  /** An external id of 128 characters, each up to 4 bytes, each byte percent-encoded. */
  paramCharsMax: LIMITS.externalIdCodePointsMax * 4 * 3 + 'ext:'.length,
  connectionsMax: 20_000,
} as const

export interface ServerOptions {
  readonly env: Env
  readonly log: AccessLog
  /** Without it, requests are not counted. */
  readonly metrics?: Metrics
  readonly corsOrigins: readonly string[]
}

/** For answers that are data; pages for people set their own. */
const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
} as const

export function createServer({ env, log, metrics, corsOrigins }: ServerOptions): FastifyInstance {
  const record = recorder(log, metrics)
  const app: FastifyInstance = Fastify({
    bodyLimit: LIMITS.bodyBytesMax,
    serverFactory: (handle) => openServer(env, handle),
    routerOptions: { maxParamLength: HTTP_LIMITS.paramCharsMax },
    genReqId: requestIds(env),
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => refuseConnection(app.server, error, socket),
    // An address that cannot be routed: no hook is run for it.
    frameworkErrors(error, request, reply) {
      introduce(request, reply)
      reply.raw.once('finish', () => record(request, reply))
      sendProblem(reply, asRivuletError(error))
    },
  })
  app.decorateRequest('caller', undefined)
  app.decorateRequest('stats', undefined)
  app.decorateRequest('sent', undefined)
  // Schemas describe; what they demand is checked by route.ts, which knows how to say it.
  app.setValidatorCompiler(() => () => true)
  app.setSerializerCompiler(() => (data) => JSON.stringify(data))
  app.setErrorHandler(errorHandler(log))
  app.setNotFoundHandler(() => {
    throw notFound()
  })
  acceptJsonOnly(app)
  if (corsOrigins.length > 0) app.addHook('onRequest', corsHook(corsOrigins))
  app.addHook('onRequest', welcome)
  app.addHook('onResponse', (request, reply, done) => {
    record(request, reply)
    // An answer that broke off may still be on its way.
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
      // It is asked for in wire.ts, whose refusal says what is missing.
      requireHostHeader: false,
    },
    handle,
  )
  server.timeout = HTTP_LIMITS.connectionTimeoutMs
  server.maxConnections = HTTP_LIMITS.connectionsMax
  return server
}

/** Before a body is looked at: headers that every answer has; and no address, no further questions. */
function welcome(request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void {
  introduce(request, reply)
  done(receive(request.raw) ?? (request.is404 ? notFound() : undefined))
}

function introduce(request: FastifyRequest, reply: FastifyReply): void {
  reply.headers(SECURITY_HEADERS)
  reply.header('x-request-id', request.id)
}

/** A caller's own id if it is harmless in a log, else one that tells runs of the server apart. */
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
    const stats = request.stats ?? other
    const elapsedMs = reply.elapsedTime
    if (stats === undefined) return log.served(request, reply, 'other', elapsedMs)
    stats.latency.observe(elapsedMs)
    stats.byStatus.set(reply.statusCode, (stats.byStatus.get(reply.statusCode) ?? 0) + 1)
    if (stats.isLogged) log.served(request, reply, stats.route, elapsedMs)
  }
}
