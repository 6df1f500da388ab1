/**
 * Answers that were given to a socket and have not left yet: their readers are slower than we are. Most are never
 * seen here, because the system takes them at once. What waits is memory, so it is bounded; and a server that ends
 * lets it go out first.
 */

import type { ServerResponse } from 'node:http'

/** Above this many bytes, requests are refused until some have been read. */
const WAITING_BYTES_MAX = 256 * 2 ** 20

export interface Outbound {
  /** Called once an answer has been handed over. */
  sent(response: ServerResponse): void
  readonly isFull: boolean
  readonly waitingBytes: number
  /** Resolves when nothing waits. */
  idle(): Promise<void>
}

export function createOutbound(): Outbound {
  let waitingBytes = 0
  const idlers: (() => void)[] = []
  return {
    sent(response) {
      const bytes = response.writableFinished ? 0 : (response.socket?.writableLength ?? 0)
      if (bytes === 0) return
      waitingBytes += bytes
      response.once('close', () => {
        waitingBytes -= bytes
        if (waitingBytes === 0) for (const wake of idlers.splice(0)) wake()
      })
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
