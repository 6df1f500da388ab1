/**
 * What is wrong before there is a request to speak of, told as any other problem: text that is no HTTP, a head
 * without `Host`, an expectation that nobody here meets, a tunnel.
 */

import { STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { ERROR_CODES, RivuletError, type ErrorCode } from '../core/errors.ts'
import { invalid } from '../core/text.ts'
import { PROBLEM_TYPE, problemOf } from './problems.ts'

/** The newest answer on a connection, which may still be worked on. */
const lastAnswers = new WeakMap<Duplex, ServerResponse>()

export function watchWire(server: Server): void {
  // Node would answer these two itself, without a body or not at all.
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    server.emit('request', request, response)
  })
  server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    const refusal = new RivuletError('method_not_allowed', 'this is no proxy')
    answer(socket, refusal, refusal.status, ['Allow: '])
  })
}

/** @returns what is wrong with the head of a request, wherever it goes */
export function receive(request: IncomingMessage, response: ServerResponse): RivuletError | undefined {
  lastAnswers.set(request.socket, response)
  const { httpVersion, rawHeaders, headers } = request
  if (httpVersion !== '1.1') return undefined
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i].length === 4 && rawHeaders[i].toLowerCase() === 'host') hosts++
  }
  if (hosts !== 1) return invalid('header.host', 'must be there, once')
  const { expect } = headers
  if (expect === undefined || expect.toLowerCase() === '100-continue') return undefined
  return new RivuletError('expectation_failed', 'nothing can be expected here but 100-continue')
}

const FAULTS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: 'the headers are too large',
  HPE_INVALID_METHOD: 'the method is none of HTTP',
  HPE_INVALID_URL: 'the address has characters that must be percent-encoded',
  HPE_INVALID_VERSION: 'the version of HTTP is not one that is spoken here',
  ERR_HTTP_REQUEST_TIMEOUT: 'the request did not arrive in time',
}

/** What the HTTP parser refuses never becomes a request; it gets its answer on the bare socket. */
export function refuseConnection(error: Error & { code?: string }, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
  const code: ErrorCode = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'request_timeout' : 'invalid_request'
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : ERROR_CODES[code]
  const refusal = new RivuletError(code, FAULTS[error.code ?? ''] ?? 'this is not HTTP')
  const last = lastAnswers.get(socket)
  if (last === undefined || !isAwaited(last)) refuse()
  // The client would take this for the answer to an earlier request, which may be a write that is carried out.
  else last.once('close', refuse)

  function refuse(): void {
    answer(socket, refusal, status)
    // It may have arrived, unread, while this process stood still: what was refused must not be carried out.
    if (code === 'request_timeout') socket.destroy()
  }
}

/** For a request that came whole, or behind others that are not answered yet. */
const isAwaited = ({ writableFinished, req, socket }: ServerResponse): boolean =>
  !writableFinished && (req.complete || socket === null)

function answer(socket: Duplex, error: RivuletError, status: number, headers: readonly string[] = []): void {
  if (!socket.writable) return
  const body = JSON.stringify({ ...problemOf(error, 'none'), status })
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    ...headers,
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
