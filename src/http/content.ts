/**
 * Accepts uncompressed JSON in UTF-8 as a request body, and for raw routes uncompressed bytes of the types that they
 * name. An empty body counts as none, whatever its type.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest, RequestPayload } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import { Transform } from 'node:stream'
import { MIMEType } from 'node:util'
import { RivuletError } from '../core/errors.ts'
import { parseJson } from './json.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Values that the body of a route may have, if more than others. */
    valuesMax?: number
  }
}

const JSON_TYPE = 'application/json'
/** The type under which bodies reach the parser that leaves them as they are. */
const RAW_TYPE = 'application/octet-stream'
/** ASCII is a subset of UTF-8. */
const CHARSETS = new Set(['utf-8', 'utf8', 'us-ascii'])

export function acceptBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(JSON_TYPE, { parseAs: 'buffer' }, (request, bytes, done) => {
    try {
      done(null, parseJson(bytes as Buffer, request.routeOptions.config.valuesMax))
    } catch (error) {
      done(error as Error)
    }
  })
  app.addContentTypeParser(RAW_TYPE, { parseAs: 'buffer' }, (_request, bytes, done) => done(null, bytes))
}

type Done = (error?: Error | null, payload?: RequestPayload) => void
type BodyHook = (request: FastifyRequest, reply: FastifyReply, payload: RequestPayload, done: Done) => void

/** A hook of routes that take JSON: refuses another body by its headers, before it is read. */
export const takeJson: BodyHook = ({ headers }, _reply, payload, done) =>
  judge(headers, payload, done, faultOfJson, JSON_TYPE)

/** A hook of raw routes: refuses a body of another type, and keeps the headers that the handler gets. */
export function takeRaw(types: readonly string[] | 'any', names: readonly string[]): BodyHook {
  const faultOf = (headers: IncomingHttpHeaders) => faultOfRaw(headers, types)
  return (request, _reply, payload, done) => {
    const { headers } = request
    request.taken = Object.fromEntries(names.map((name) => [name, textOf(headers[name])]))
    judge(headers, payload, done, faultOf, RAW_TYPE)
  }
}

/** Node joins repeated headers, but gives those of `Set-Cookie` as a list. */
const textOf = (header: string | string[] | undefined): string | undefined =>
  Array.isArray(header) ? header.join(', ') : header

/** Many clients send a `Content-Type` with every request, so the type counts only where there is a body. */
function judge(
  headers: IncomingHttpHeaders,
  payload: RequestPayload,
  done: Done,
  faultOf: (headers: IncomingHttpHeaders) => RivuletError | undefined,
  parsedAs: string,
): void {
  const isChunked = headers['transfer-encoding'] !== undefined
  if (!isChunked && Number(headers['content-length'] ?? 0) === 0) {
    if (headers['content-type'] !== undefined) headers['content-type'] = undefined
    return done(null, payload)
  }
  const fault = faultOf(headers)
  if (fault !== undefined && !isChunked) return done(fault)
  headers['content-type'] = parsedAs
  // Whether a chunked request has a body shows only when its first chunk comes, so the refusal waits for that. Without
  // a chunk, the parser takes the request as one without a body.
  done(null, fault === undefined ? payload : payload.pipe(failingWith(fault)))
}

/** A stream that fails at its first chunk; without chunks it just ends. */
const failingWith = (fault: Error): Transform =>
  new Transform({ transform: (_chunk, _encoding, done) => done(fault) })

function faultOfRaw(
  headers: IncomingHttpHeaders,
  types: readonly string[] | 'any',
): RivuletError | undefined {
  if (isCompressed(headers)) return unsupported('must not be compressed')
  if (types === 'any' || types.includes(parseType(headers['content-type'] ?? '').essence)) return undefined
  return unsupported(`must be ${types.join(' or ')}`)
}

const isCompressed = (headers: IncomingHttpHeaders): boolean =>
  isPacked(headers['content-encoding'], 'identity') || isPacked(headers['transfer-encoding'], 'chunked')

function faultOfJson(headers: IncomingHttpHeaders): RivuletError | undefined {
  const type = headers['content-type']
  if (isCompressed(headers)) return unsupported('must not be compressed')
  return type === JSON_TYPE ? undefined : faultOfType(type ?? '')
}

const isPacked = (coding: string | undefined, plain: string): boolean =>
  coding !== undefined && coding.toLowerCase() !== plain

function faultOfType(type: string): RivuletError | undefined {
  const { essence, charset } = parseType(type)
  if (essence !== JSON_TYPE) return unsupported(`must be ${JSON_TYPE}`)
  if (charset !== null && !CHARSETS.has(charset.toLowerCase()))
    return unsupported('must be UTF-8: set the charset of its Content-Type to utf-8, or leave it out')
  return undefined
}

function parseType(type: string): { essence: string; charset: string | null } {
  try {
    const { essence, params } = new MIMEType(type)
    return { essence, charset: params.get('charset') }
  } catch {
    return { essence: '', charset: null }
  }
}

const unsupported = (message: string): RivuletError =>
  new RivuletError('unsupported_media_type', `a body ${message}`)
