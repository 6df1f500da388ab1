/**
 * The access log: one JSON line per request. Tokens, bodies and query strings are never logged; JSON escapes whatever
 * a path contains.
 */

import type { Logger } from 'pino'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { RivuletError } from '../core/errors.ts'

export interface AccessLog {
  readonly logger: Logger
  served(request: FastifyRequest, reply: FastifyReply, route: string, elapsedMs: number): void
  failed(request: FastifyRequest, error: RivuletError, cause: unknown): void
  flush(): void
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
    flush: () => log.flush(),
  }
}

export const pathOf = (request: Pick<FastifyRequest, 'url'>): string => {
  const { url } = request
  const end = url.indexOf('?')
  return end < 0 ? url : url.slice(0, end)
}
