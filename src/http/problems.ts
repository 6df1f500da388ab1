/**
 * Errors as problem details (RFC 9457). Codes are stable. The cause of a server failure is logged, and never sent to
 * the client. Cases that clients must not be able to tell apart (what is hidden from them and what does not exist) get the same bytes
 * except for the request id.
 */

import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { ERROR_CODES, RivuletError, isRivuletError, type ErrorCode, type FieldError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import type { AccessLog } from './access-log.ts'

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8'

export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: ErrorCode
  readonly detail: string
  readonly errors?: readonly FieldError[]
  readonly request_id: string
  readonly retriable: boolean
}

const FAILED = 'the server failed; its log has the cause under the request id'
const NOT_NOW = 'a part of the system cannot do this now; nothing was done, try again later'
const RETRY_AFTER_DEFAULT_MS = 1_000

/** Statuses that always carry `Retry-After`. */
const RETRY_LATER = new Set([429, 503])

export function problemOf(error: RivuletError, requestId: string): Problem {
  const told = isOurs(error) ? new RivuletError(error.code, error.status === 500 ? FAILED : NOT_NOW) : error
  return {
    type: `urn:rivulet:problem:${error.code}`,
    title: titleOf(error.code),
    status: error.status,
    code: error.code,
    detail: told.message,
    ...(told.errors === undefined ? {} : { errors: told.errors }),
    request_id: requestId,
    retriable: error.retriable,
  }
}

/** Failures whose message is for the operator: it names internals, or a fault that only an operator can mend. */
const isOurs = (error: RivuletError): boolean =>
  error.status === 500 ||
  (error.code !== 'outcome_unknown' && error.status >= 500 && error.cause !== undefined)

const titleOf = (code: ErrorCode): string => code[0].toUpperCase() + code.slice(1).replaceAll('_', ' ')

export function sendProblem(reply: FastifyReply, error: RivuletError): FastifyReply {
  if (error.retryAfterMs !== undefined || RETRY_LATER.has(error.status)) {
    const seconds = Math.ceil((error.retryAfterMs ?? RETRY_AFTER_DEFAULT_MS) / 1_000)
    reply.header('retry-after', String(Math.max(1, seconds)))
  }
  return reply
    .code(error.status)
    .header('content-type', PROBLEM_TYPE)
    .send(Buffer.from(JSON.stringify(problemOf(error, reply.request.id))))
}

export function errorHandler(log: AccessLog) {
  return (error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const known = asRivuletError(error, request.routeOptions.bodyLimit)
    if (known.status >= 500) log.failed(request, known, error)
    if (known.code === 'unauthorized') reply.header('www-authenticate', challengeOf(request))
    // With this header, the connection is cut while the client still sends. Without it, Node reads and drops the rest.
    reply.removeHeader('connection')
    return sendProblem(reply, known)
  }
}

const challengeOf = (request: FastifyRequest): string =>
  request.headers.authorization === undefined
    ? 'Bearer realm="rivulet"'
    : 'Bearer realm="rivulet", error="invalid_token"'

/** Errors of Fastify under Rivulet's codes; an unexpected error becomes `internal`. */
export function asRivuletError(
  error: FastifyError | Error,
  bodyBytesMax: number = LIMITS.bodyBytesMax,
): RivuletError {
  if (isRivuletError(error)) return error
  const status = 'statusCode' in error && error.statusCode !== undefined ? error.statusCode : 500
  if (status >= 500) return new RivuletError('internal', 'internal', { cause: error })
  const code = CODE_OF_STATUS.get(status) ?? 'invalid_request'
  if (code === 'payload_too_large') return bodyTooLarge(bodyBytesMax, error)
  const message =
    REFUSALS[code] ?? ('code' in error && error.code === 'FST_ERR_BAD_URL' ? BAD_ADDRESS : error.message)
  return new RivuletError(code, message, { cause: error })
}

const CODE_OF_STATUS = new Map<number, ErrorCode>(
  (['request_timeout', 'payload_too_large', 'uri_too_long', 'unsupported_media_type'] as const).map(
    (code) => [ERROR_CODES[code], code],
  ),
)

export const bodyTooLarge = (bytesMax: number, cause?: unknown): RivuletError =>
  new RivuletError('payload_too_large', `the body is too large: at most ${bytesMax} bytes are allowed`, {
    cause,
  })

const BAD_ADDRESS = 'the address is not percent-encoded UTF-8'
const REFUSALS: Partial<Record<ErrorCode, string>> = {
  unsupported_media_type: 'a body must be application/json',
  uri_too_long: 'the address is too long',
  request_timeout: 'the request did not arrive in time',
}
