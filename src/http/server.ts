/**
 * The HTTP server: Fastify with our own bounds, errors, ids and log line. Nothing here knows what is served.
 */

import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type HTTPMethods,
} from 'fastify'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { ERROR_CODES, notFound, RivuletError, type ErrorCode } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import type { Env } from '../ports/env/env.ts'
import type { AccessLog } from './access-log.ts'
import { giveBack } from './bytes.ts'
import { corsHook } from './cors.ts'
import { parseJson } from './json.ts'
import type { Metrics } from './metrics.ts'
import { PROBLEM_TYPE, asRivuletError, errorHandler, problemOf, sendProblem } from './problems.ts'

const HTTP_LIMITS = {
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  /** A socket on which nothing moves, neither what it asks nor what it is to be told. */
  connectionTimeoutMs: 30_000,
  /** Above the idle time of common proxies, so that they close first. */
  keepAliveTimeoutMs: 72_000,
  timeoutCheckIntervalMs: 2_000,
  headerBytesMax: 16_384,
  /** An external id of 128 characters, each up to 4 bytes, each byte percent-encoded. */
  paramCharsMax: 128 * 4 * 3 + 'ext:'.length,
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
  const app = Fastify({
    bodyLimit: LIMITS.bodyBytesMax,
    connectionTimeout: HTTP_LIMITS.connectionTimeoutMs,
    requestTimeout: HTTP_LIMITS.requestTimeoutMs,
    keepAliveTimeout: HTTP_LIMITS.keepAliveTimeoutMs,
    http: {
      headersTimeout: HTTP_LIMITS.headersTimeoutMs,
      maxHeaderSize: HTTP_LIMITS.headerBytesMax,
      connectionsCheckingInterval: HTTP_LIMITS.timeoutCheckIntervalMs,
    },
    routerOptions: { maxParamLength: HTTP_LIMITS.paramCharsMax },
    genReqId: requestIds(env),
    return503OnClosing: false,
    clientErrorHandler: refuseConnection,
    frameworkErrors: (error, _request, reply) => void sendProblem(reply, asRivuletError(error)),
  })
  app.server.maxConnections = HTTP_LIMITS.connectionsMax
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
  observe(app, log, metrics)
  return app
}

/** Before a body is looked at: headers that every answer has; and no address, no further questions. */
function welcome(request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void {
  reply.headers(SECURITY_HEADERS)
  reply.header('x-request-id', request.id)
  done(request.is404 ? notFound() : compressed(request))
}

/** Nothing here unpacks a body. */
function compressed({ headers }: FastifyRequest): Error | undefined {
  const encoding = headers['content-encoding'] ?? 'identity'
  if (encoding.toLowerCase() === 'identity') return undefined
  return new RivuletError('unsupported_media_type', 'a body must be application/json, and not compressed')
}

function acceptJsonOnly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, bytes, done) => {
    try {
      done(null, parseJson(bytes as Buffer))
    } catch (error) {
      done(error as Error)
    }
  })
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

function observe(app: FastifyInstance, log: AccessLog, metrics: Metrics | undefined): void {
  const other = metrics?.route('any', 'other')
  app.addHook('onResponse', (request, reply, done) => {
    const stats = request.stats ?? other
    const elapsedMs = reply.elapsedTime
    if (stats !== undefined) {
      stats.latency.observe(elapsedMs)
      stats.byClass[(reply.statusCode / 100) | 0]++
    }
    log.served(request, reply, stats?.route ?? 'other', elapsedMs)
    // An answer that broke off may still be on its way.
    if (request.sent !== undefined && reply.raw.writableFinished) giveBack(request.sent)
    request.sent = undefined
    done()
  })
}

/** What the HTTP parser refuses never becomes a request; it gets its answer on the bare socket. */
function refuseConnection(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
  const code: ErrorCode = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'request_timeout' : 'invalid_request'
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : ERROR_CODES[code]
  const refusal = new RivuletError(code, status === 431 ? 'the headers are too large' : 'this is not HTTP')
  const body = JSON.stringify({ ...problemOf(refusal, 'none'), status })
  const head = [
    `HTTP/1.1 ${status} ${status === 408 ? 'Request Timeout' : 'Bad Request'}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
  // It may have arrived, unread, while this process stood still: what was refused must not be carried out.
  if (code === 'request_timeout') socket.destroy()
}

const METHODS: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

/**
 * Watches the routes that are added from now on. Calling what it gives answers every method that an address
 * does not have with 405 and those that it has.
 */
export function refuseOtherMethods(app: FastifyInstance): () => void {
  const methodsOf = new Map<string, Set<string>>()
  let isDone = false
  app.addHook('onRoute', ({ url, method }) => {
    if (isDone) return
    const methods = methodsOf.get(url) ?? new Set()
    for (const one of [method].flat()) methods.add(one)
    methodsOf.set(url, methods)
  })
  return () => {
    isDone = true
    for (const [url, methods] of methodsOf) refuse(app, url, methods)
  }
}

function refuse(app: FastifyInstance, url: string, methods: ReadonlySet<string>): void {
  const allow = [...methods].sort().join(', ')
  app.route({
    method: METHODS.filter((method) => !methods.has(method)),
    url,
    schema: { hide: true },
    onRequest(_request, reply, done) {
      reply.header('allow', allow)
      done(new RivuletError('method_not_allowed', `this address answers ${allow}`))
    },
    handler: () => undefined,
  })
}
