/**
 * Requests of one connection, one after the other. A client may send the next ones before it has its answer
 * (pipelining), and Node hands over all that one read of the socket held. Answers leave in that order anyway; to make
 * them at once would only hold them in memory, as many as a client likes.
 */

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Env } from '../ports/env/env.ts'

/** Requests of one connection that wait for their turn: what one read of it may hold, and more than clients send. */
const WAITING_MAX = 1_000

interface Line {
  readonly waiting: [IncomingMessage, ServerResponse][]
  /** What is answered now, or was last. */
  current: ServerResponse
  isClosed: boolean
}

export interface InOrder {
  readonly listener: RequestListener
  /**
   * Calls `refuse` once everything is answered that came on this connection, of which nothing more is taken. Without
   * that, the client would take the refusal for the answer to an earlier request, which may be a write that is
   * carried out.
   */
  close(socket: Duplex, refuse: () => void): void
}

/** @param onTooMany is told of a connection with more requests ahead of their answers than may be */
export function createInOrder(
  env: Env,
  handle: RequestListener,
  onTooMany: (socket: Duplex) => void,
): InOrder {
  const lines = new WeakMap<Duplex, Line>()

  function begin(line: Line, request: IncomingMessage, response: ServerResponse): void {
    line.current = response
    response.once('close', () => {
      // Other connections have their turn between two of this one.
      if (line.waiting.length > 0) void env.yield().then(() => next(line, request.socket))
    })
    handle(request, response)
  }

  function next(line: Line, socket: Duplex): void {
    const first = line.waiting.shift()
    // Whoever has gone is told nothing, and what he had asked for is not begun.
    if (first === undefined || socket.destroyed) return
    if (line.waiting.length === 0 && !line.isClosed) socket.resume()
    begin(line, ...first)
  }

  const listener: RequestListener = (request, response) => {
    const { socket } = request
    const line = lines.get(socket)
    if (line === undefined) {
      const opened: Line = { waiting: [], current: response, isClosed: false }
      lines.set(socket, opened)
      return begin(opened, request, response)
    }
    // Was refused, and goes on all the same.
    if (line.isClosed) return socket.writableEnded ? void socket.destroy() : undefined
    if (line.current.closed && line.waiting.length === 0) return begin(line, request, response)
    if (line.waiting.length >= WAITING_MAX) return onTooMany(socket)
    line.waiting.push([request, response])
    // What is on its way stays with the client until there is room.
    socket.pause()
  }

  return {
    listener,
    close(socket, refuse) {
      const line = lines.get(socket)
      const end = () => {
        refuse()
        // So that its end is heard.
        socket.resume()
      }
      if (line === undefined) return end()
      line.isClosed = true
      const { waiting, current } = line
      // The rest of it will never come; it is what is refused.
      if (waiting.at(-1)?.[0].complete === false) waiting.pop()
      const last = waiting.at(-1)?.[1] ?? current
      if (isAwaited(last)) last.once('close', end)
      else end()
    },
  }
}

/** For a request that came whole, or behind others that are not answered yet. */
const isAwaited = ({ writableFinished, req, socket }: ServerResponse): boolean =>
  !writableFinished && (req.complete || socket === null)
