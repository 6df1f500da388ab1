/**
 * Answers with problem details also where Node would answer by itself, or not at all: to bytes that are not HTTP, a
 * head without `Host`, an `Expect` that is not supported, and CONNECT.
 */

import {
  createServer,
  STATUS_CODES,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import type { Duplex } from 'node:stream'
import { ERROR_CODES, RivuletError, type ErrorCode } from '../core/errors.ts'
import { invalid } from '../core/text.ts'
import type { Env } from '../ports/env/env.ts'
import { createInOrder, type InOrder } from './in-order.ts'
import { PROBLEM_TYPE, problemOf } from './problems.ts'

const inOrderOf = new WeakMap<Server, InOrder>()

/** Makes a server that refuses a connection with problem details, after the answers to its earlier requests. */
export function openWire(env: Env, options: ServerOptions, handle: RequestListener): Server {
  const inOrder = createInOrder(env, handle, (socket) => {
    const refusal = new RivuletError(
      'overloaded',
      'too many requests were sent ahead of their answers; wait for answers before sending more',
    )
    inOrder.close(socket, () => answer(socket, refusal, refusal.status))
  })
  const server = createServer(options, inOrder.listener)
  inOrderOf.set(server, inOrder)
  // A client may close its sending side and wait for the answer. (An option of Node that has no type.)
  Object.assign(server, { httpAllowHalfOpen: true })
  // Node would answer these two by itself, without a body or not at all.
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    server.emit('request', request, response)
  })
  server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    const refusal = new RivuletError(
      'method_not_allowed',
      'this server is not a proxy: CONNECT is not supported',
    )
    inOrder.close(socket, () => answer(socket, refusal, refusal.status, ['Allow: ']))
  })
  return server
}

/** @returns the error in the head of a request, if there is one, whatever its address */
export function receive({ httpVersion, rawHeaders, headers }: IncomingMessage): RivuletError | undefined {
  if (httpVersion !== '1.1') return undefined
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i].length === 4 && rawHeaders[i].toLowerCase() === 'host') hosts++
  }
  if (hosts !== 1) return invalid('header.host', 'must be given exactly once')
  const { expect } = headers
  if (expect === undefined || expect.toLowerCase() === '100-continue') return undefined
  return new RivuletError('expectation_failed', 'the only Expect that is supported is 100-continue')
}

const FAULTS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: 'the headers are too large',
  HPE_INVALID_METHOD: 'the method is not one of HTTP',
  HPE_INVALID_URL: 'the address has characters that must be percent-encoded',
  HPE_INVALID_VERSION: 'this version of HTTP is not supported; use HTTP/1.1',
  ERR_HTTP_REQUEST_TIMEOUT: 'the request did not arrive in time',
}

/** What the HTTP parser refuses never becomes a request; it gets its answer on the bare socket. */
export function refuseConnection(server: Server, error: Error & { code?: string }, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
  const code: ErrorCode = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'request_timeout' : 'invalid_request'
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : ERROR_CODES[code]
  const refusal = new RivuletError(code, FAULTS[error.code ?? ''] ?? 'the request is not valid HTTP')
  inOrderOf.get(server)?.close(socket, () => {
    answer(socket, refusal, status)
    // The request may have arrived, unread, while this process was stalled: once refused, it must not be carried out.
    if (code === 'request_timeout') socket.destroy()
  })
}

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
