/**
 * The access log: one JSON line per request. Tokens, bodies and query strings are never logged; JSON escapes whatever
 * a path contains.
 */

import type { Logger } from 'pino'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { RivuletError } from '../core/errors.ts'
import type { RouteStats } from './metrics.ts'

export interface AccessLog {
  readonly logger: Logger
  served(request: FastifyRequest, reply: FastifyReply, route: string, elapsedMs: number): void
  failed(request: FastifyRequest, error: RivuletError, cause: unknown): void
  /** An item of a batch failed because of the system. */
  batchFailed(batch: string, error: RivuletError, cause: unknown): void
  /** A stream of events has ended. */
  streamed(request: FastifyRequest, line: StreamLine): void
  /** An answer went out without a header that its handler had set. */
  withheld(request: FastifyRequest, header: string, reason: string): void
  flush(): void
}

export interface StreamLine {
  readonly route: string
  /** Why it ended (event-stream.ts). */
  readonly end: string
  readonly seconds: number
  readonly events: number
  /** Bytes that the client had not taken. */
  readonly waiting_bytes: number
}

export function createAccessLog(log: Logger): AccessLog {
  return {
    logger: log,
    served(request, reply, route, elapsedMs) {
      const status = reply.statusCode
      const line = {
        request_id: request.id,
        method: request.method,
        route,
        status,
        ms: Math.round(elapsedMs * 1_000) / 1_000,
        account: request.caller?.account?.id,
      }
      if (status < 400) log.info(line, 'request')
      else log.info({ ...line, path: pathOf(request) }, 'request')
    },
    failed(request, error, cause) {
      const line = { request_id: request.id, code: error.code }
      if (error.status === 500) log.error({ ...line, err: cause }, 'a request failed')
      // A passing state, such as a full queue, of which the client was told: no stack, unless an error caused it.
      else log.warn({ ...line, reason: error.message, err: error.cause }, 'a request could not be served now')
    },
    batchFailed(batch, error, cause) {
      const line = { batch, code: error.code, reason: error.message }
      if (error.status === 500) log.error({ ...line, err: cause }, 'an item of a batch failed')
      else log.warn({ ...line, err: error.cause }, 'an item of a batch could not be carried out now')
    },
    streamed: (request, line) =>
      log.info({ request_id: request.id, account: request.caller?.account?.id, ...line }, 'a stream ended'),
    withheld: (request, header, reason) =>
      log.error({ request_id: request.id, header, reason }, 'an answer went out without one of its headers'),
    flush: () => log.flush(),
  }
}

/** Counts a request, with its answer, and writes its line into the log. */
export function recordServed(
  log: AccessLog,
  stats: RouteStats | undefined,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const elapsedMs = reply.elapsedTime
  if (stats === undefined) return log.served(request, reply, 'other', elapsedMs)
  stats.latency.observe(elapsedMs)
  stats.byStatus.set(reply.statusCode, (stats.byStatus.get(reply.statusCode) ?? 0) + 1)
  if (stats.isLogged) log.served(request, reply, stats.route, elapsedMs)
}

export const pathOf = (request: Pick<FastifyRequest, 'url'>): string => {
  const { url } = request
  const end = url.indexOf('?')
  return end < 0 ? url : url.slice(0, end)
}
