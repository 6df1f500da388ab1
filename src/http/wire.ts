/**
 * What is wrong before there is a request to speak of, told as any other problem: text that is no HTTP, a head
 * without `Host`, an expectation that nobody here meets, a tunnel.
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

/** A server whose every connection is told what is wrong, after the answers to what came before. */
export function openWire(env: Env, options: ServerOptions, handle: RequestListener): Server {
  const inOrder = createInOrder(env, handle, (socket) => {
    const refusal = new RivuletError('overloaded', 'too many requests came ahead of their answers')
    inOrder.close(socket, () => answer(socket, refusal, refusal.status))
  })
  const server = createServer(options, inOrder.listener)
  inOrderOf.set(server, inOrder)
  // A client may say that it has nothing more to ask, and wait for the answer. (Of Node, without a type.)
  Object.assign(server, { httpAllowHalfOpen: true })
  // Node would answer these two itself, without a body or not at all.
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    server.emit('request', request, response)
  })
  server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    const refusal = new RivuletError('method_not_allowed', 'this is no proxy')
    inOrder.close(socket, () => answer(socket, refusal, refusal.status, ['Allow: ']))
  })
  return server
}

/** @returns what is wrong with the head of a request, wherever it goes */
export function receive({ httpVersion, rawHeaders, headers }: IncomingMessage): RivuletError | undefined {
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
export function refuseConnection(server: Server, error: Error & { code?: string }, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
  const code: ErrorCode = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'request_timeout' : 'invalid_request'
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : ERROR_CODES[code]
  const refusal = new RivuletError(code, FAULTS[error.code ?? ''] ?? 'this is not HTTP')
  inOrderOf.get(server)?.close(socket, () => {
    answer(socket, refusal, status)
    // It may have arrived, unread, while this process stood still: what was refused must not be carried out.
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
