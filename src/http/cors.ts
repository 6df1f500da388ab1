/**
 * CORS: pages of the configured origins may call the API, and no others. Origins are compared exactly, with scheme and
 * port. Credentials are not allowed: callers send tokens, never cookies.
 */

import type { FastifyReply, FastifyRequest } from 'fastify'
import { ACTING_HEADER } from './auth.ts'
import { IDEMPOTENCY_HEADER } from './idempotency.ts'

const ALLOWED_HEADERS = `authorization, content-type, x-request-id, last-event-id, ${IDEMPOTENCY_HEADER}, ${ACTING_HEADER}`
const EXPOSED_HEADERS =
  'allow, x-request-id, retry-after, idempotency-replayed, ratelimit-limit, ratelimit-remaining, ratelimit-reset'
const PREFLIGHT_LIFE_SECONDS = '600'

export function corsHook(origins: readonly string[]) {
  const allowed = new Set(origins)
  return (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    reply.header('vary', 'origin')
    const { origin } = request.headers
    if (origin === undefined || !allowed.has(origin)) return done()
    reply.header('access-control-allow-origin', origin)
    reply.header('access-control-expose-headers', EXPOSED_HEADERS)
    // An OPTIONS request without this header is no preflight; methods.ts answers it.
    if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined)
      return done()
    reply
      .code(204)
      .header('access-control-allow-methods', 'GET, HEAD, POST, PUT, PATCH, DELETE')
      .header('access-control-allow-headers', ALLOWED_HEADERS)
      .header('access-control-max-age', PREFLIGHT_LIFE_SECONDS)
      .send()
  }
}
