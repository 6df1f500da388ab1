/** An adapter of one's own for the port `bus`: signals within a process, on Node's event emitter. */

import { EventEmitter } from 'node:events'
import { RivuletError } from 'rivulet'

/** @returns {import('rivulet/ports/bus').Bus} */
export function createOwnBus() {
  const emitter = new EventEmitter().setMaxListeners(0)
  let isClosed = false

  function assertOpen() {
    if (isClosed) throw new RivuletError('shutting_down', 'the bus is closed')
  }

  return {
    async publish(topic, message) {
      assertOpen()
      // Taken before this returns, and delivered after it: its sender may use the bytes again.
      const taken = Uint8Array.from(message)
      setImmediate(() => emitter.emit(topic, taken))
    },
    async subscribe(topic, listener) {
      assertOpen()
      const hear = (message) => {
        try {
          listener(message)
        } catch {
          // The others still hear it.
        }
      }
      emitter.on(topic, hear)
      return { close: async () => void emitter.off(topic, hear) }
    },
    async close() {
      isClosed = true
      emitter.removeAllListeners()
    },
  }
}
