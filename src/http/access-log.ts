/**
 * One line a request, as JSON, buffered: a line is cheap, a write is not. Neither tokens nor bodies nor query
 * strings are logged; JSON escapes whatever a path may hold.
 */

import pino, { type Logger, type LoggerOptions } from 'pino'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { RivuletError } from '../core/errors.ts'

/** Below Node's high-water mark for streams, so that a full buffer is one write. */
const BUFFER_BYTES = 8_192
const FLUSH_INTERVAL_MS = 1_000
/** stdout is for what people read. */
const STDERR = 2

export interface AccessLog {
  readonly logger: Logger
  served(request: FastifyRequest, reply: FastifyReply, route: string, elapsedMs: number): void
  failed(request: FastifyRequest, error: RivuletError, cause: unknown): void
  flush(): void
}

export function createAccessLog(logger: Logger | LoggerOptions): AccessLog {
  const log = isLogger(logger) ? logger : pino(logger, bufferedOutput())
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
      // A state that callers were told of, and that passes: no stack, unless something lies behind it.
      else log.warn({ ...line, reason: error.message, err: error.cause }, 'a request was put off')
    },
    flush: () => log.flush(),
  }
}

export const pathOf = (request: Pick<FastifyRequest, 'url'>): string => {
  const { url } = request
  const end = url.indexOf('?')
  return end < 0 ? url : url.slice(0, end)
}

const bufferedOutput = () =>
  pino.destination({ dest: STDERR, sync: false, minLength: BUFFER_BYTES, periodicFlush: FLUSH_INTERVAL_MS })

const isLogger = (logger: Logger | LoggerOptions): logger is Logger =>
  'info' in logger && typeof logger.info === 'function'
