/** Accepts only uncompressed JSON in UTF-8 as a request body. An empty body counts as none, whatever its type. */

import type { FastifyInstance, FastifyReply, FastifyRequest, RequestPayload } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import { Transform } from 'node:stream'
import { MIMEType } from 'node:util'
import { RivuletError } from '../core/errors.ts'
import { parseJson } from './json.ts'

const JSON_TYPE = 'application/json'
/** ASCII is a subset of UTF-8. */
const CHARSETS = new Set(['utf-8', 'utf8', 'us-ascii'])

export function acceptJsonOnly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(JSON_TYPE, { parseAs: 'buffer' }, (_request, bytes, done) => {
    try {
      done(null, parseJson(bytes as Buffer))
    } catch (error) {
      done(error as Error)
    }
  })
}

/**
 * Refuses a body by its headers, before it is read; a hook of routes that take bodies. Many clients send a
 * `Content-Type` with every request, so the type counts only where there is a body.
 */
export function judgeContent(
  { headers }: FastifyRequest,
  _reply: FastifyReply,
  payload: RequestPayload,
  done: (error?: Error | null, payload?: RequestPayload) => void,
): void {
  const isChunked = headers['transfer-encoding'] !== undefined
  if (!isChunked && Number(headers['content-length'] ?? 0) === 0) {
    if (headers['content-type'] !== undefined) headers['content-type'] = undefined
    return done(null, payload)
  }
  const fault = faultOf(headers)
  if (fault === undefined) return done(null, payload)
  if (!isChunked) return done(fault)
  // Whether a chunked request has a body shows only when its first chunk comes, so the refusal waits for that. Without
  // a chunk, the JSON parser takes the request as one without a body.
  headers['content-type'] = JSON_TYPE
  done(null, payload.pipe(failingWith(fault)))
}

/** A stream that fails at its first chunk; without chunks it just ends. */
const failingWith = (fault: Error): Transform =>
  new Transform({ transform: (_chunk, _encoding, done) => done(fault) })

function faultOf(headers: IncomingHttpHeaders): RivuletError | undefined {
  const type = headers['content-type']
  if (isPacked(headers['content-encoding'], 'identity') || isPacked(headers['transfer-encoding'], 'chunked'))
    return unsupported('must not be compressed')
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
