/**
 * Counts the bytes of answers that were written to a socket but not sent yet, because the client reads slowly. Most
 * answers never count, because the operating system takes them at once. Waiting answers take memory, so there is a
 * limit; and a server that stops lets them go out first.
 */

import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Above this many waiting bytes, requests are refused until clients have read some. */
const WAITING_BYTES_MAX = 256 * 2 ** 20

export interface Outbound {
  /** To be called once an answer with a body of this many bytes was written to its socket. */
  sent(response: ServerResponse, bytes: number): void
  /**
   * For an answer whose bytes are written little by little.
   * @returns adds to the bytes that wait in its socket, or takes from them
   */
  holder(socket: Socket): (bytes: number) => void
  readonly isFull: boolean
  readonly waitingBytes: number
  /** Resolves when no answer waits. */
  idle(): Promise<void>
}

export function createOutbound(): Outbound {
  /** Bytes by socket, because an answer that waits behind another one is not told that its socket closed. */
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

  function watch(socket: Socket): void {
    if (socket.destroyed || waiting.has(socket)) return
    waiting.set(socket, 0)
    socket.once('close', () => forget(socket))
  }

  return {
    sent(response, bytes) {
      const { socket } = response.req
      if (response.writableFinished || socket.destroyed) return
      watch(socket)
      add(socket, bytes)
      response.once('finish', () => add(socket, -bytes))
    },
    holder(socket) {
      watch(socket)
      return (bytes) => add(socket, bytes)
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
