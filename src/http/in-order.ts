/**
 * Handles the requests of a connection one after the other. With pipelining, a client sends further requests before it
 * has its answers, and Node emits all that one read of the socket held. Answers must leave in order anyway; to make
 * them all at once would only hold them in memory, as many as the client likes. An answer without an end (a stream) is
 * told when a request comes behind it, so that it can end and does not hold that request back.
 */

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Env } from '../ports/env/env.ts'

/** Requests of one connection that may wait: as many as one read of it may hold, and more than clients send. */
const WAITING_MAX = 1_000

/** The requests of one connection. */
interface Line {
  readonly waiting: [IncomingMessage, ServerResponse][]
  /** The response that is being made, or was made last. */
  current: ServerResponse
  isClosed: boolean
  /** To be called when something comes behind the current request. */
  onBehind: (() => void) | undefined
}

const lines = new WeakMap<Duplex, Line>()

export interface InOrder {
  readonly listener: RequestListener
  /**
   * Takes no more requests from this connection, and calls `refuse` once its earlier requests are answered. If the
   * refusal went out before those answers, the client would take it for the answer to an earlier request, which may be
   * a write that is carried out.
   */
  close(socket: Duplex, refuse: () => void): void
}

/** @param onTooMany called for a connection with too many unanswered requests */
export function createInOrder(
  env: Env,
  handle: RequestListener,
  onTooMany: (socket: Duplex) => void,
): InOrder {
  function begin(line: Line, request: IncomingMessage, response: ServerResponse): void {
    line.current = response
    line.onBehind = undefined
    response.once('close', () => {
      // Other connections get a turn between two requests of this one.
      if (line.waiting.length > 0) void env.yield().then(() => next(line, request.socket))
    })
    handle(request, response)
  }

  function next(line: Line, socket: Duplex): void {
    const first = line.waiting.shift()
    // The client has gone: requests that it left waiting are not begun.
    if (first === undefined || socket.destroyed) return
    if (line.waiting.length === 0 && !line.isClosed) socket.resume()
    begin(line, ...first)
  }

  const listener: RequestListener = (request, response) => {
    const { socket } = request
    const line = lines.get(socket)
    if (line === undefined) {
      const opened: Line = { waiting: [], current: response, isClosed: false, onBehind: undefined }
      lines.set(socket, opened)
      return begin(opened, request, response)
    }
    // The connection was refused, and its client goes on sending.
    if (line.isClosed) return socket.writableEnded ? void socket.destroy() : undefined
    if (line.current.closed && line.waiting.length === 0) return begin(line, request, response)
    if (line.waiting.length >= WAITING_MAX) return onTooMany(socket)
    line.waiting.push([request, response])
    // Stops reading: further requests stay with the client until these are answered.
    socket.pause()
    line.onBehind?.()
  }

  return {
    listener,
    close(socket, refuse) {
      const line = lines.get(socket)
      const end = () => {
        refuse()
        // A paused socket would not emit its end.
        socket.resume()
      }
      if (line === undefined) return end()
      line.isClosed = true
      const { waiting, current } = line
      // A last request that is incomplete is the one that is refused: it will not be answered.
      if (waiting.at(-1)?.[0].complete === false) waiting.pop()
      const last = waiting.at(-1)?.[1] ?? current
      if (!isAwaited(last)) return end()
      last.once('close', end)
      line.onBehind?.()
    },
  }
}

/**
 * Calls `task` when another request of the connection waits for the current one to be answered, or the connection is
 * to be refused once it is; at once if that is so already.
 */
export function onRequestBehind(socket: Duplex, task: () => void): void {
  const line = lines.get(socket)
  if (line === undefined) return
  if (line.waiting.length > 0 || line.isClosed) return task()
  line.onBehind = task
}

/** Whether an answer is still to come: the request is complete, or waits behind others (without a socket so far). */
const isAwaited = ({ writableFinished, req, socket }: ServerResponse): boolean =>
  !writableFinished && (req.complete || socket === null)
