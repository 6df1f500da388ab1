/**
 * Answers that were given to a socket and have not left yet: their readers are slower than we are. Most are never
 * seen here, because the system takes them at once. What waits is memory, so it is bounded; and a server that ends
 * lets it go out first.
 */

import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Above this many bytes, requests are refused until some have been read. */
const WAITING_BYTES_MAX = 256 * 2 ** 20

export interface Outbound {
  /** Called once an answer with a body of so many bytes has been handed over. */
  sent(response: ServerResponse, bytes: number): void
  readonly isFull: boolean
  readonly waitingBytes: number
  /** Resolves when nothing waits. */
  idle(): Promise<void>
}

export function createOutbound(): Outbound {
  /** By socket: an answer that waits behind another one never hears that its socket is gone. */
  const waiting = new Map<Socket, number>()
  let waitingBytes = 0
  const idlers: (() => void)[] = []

  function add(socket: Socket, bytes: number): void {
    const before = waiting.get(socket)
    if (before === undefined) return
    waiting.set(socket, before + bytes)
    waitingBytes += bytes
    if (waitingBytes === 0) for (const wake of idlers.splice(0)) wake()
  }

  function forget(socket: Socket): void {
    add(socket, -(waiting.get(socket) ?? 0))
    waiting.delete(socket)
  }

  return {
    sent(response, bytes) {
      const { socket } = response.req
      if (response.writableFinished || socket.destroyed) return
      if (!waiting.has(socket)) {
        waiting.set(socket, 0)
        socket.once('close', () => forget(socket))
      }
      add(socket, bytes)
      response.once('finish', () => add(socket, -bytes))
    },
    get isFull() {
      return waitingBytes > WAITING_BYTES_MAX
    },
    get waitingBytes() {
      return waitingBytes
    },
    idle: () =>
      waitingBytes === 0 ? Promise.resolve() : new Promise<void>((resolve) => void idlers.push(resolve)),
  }
}
