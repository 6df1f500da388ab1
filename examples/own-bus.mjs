/** An example of an adapter of your own, for the port `bus`: signals within one process, on Node's event emitter. */

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
      // Copied, because delivery comes after this call returns, when the sender may already reuse its bytes.
      const copy = Uint8Array.from(message)
      setImmediate(() => emitter.emit(topic, copy))
    },
    async subscribe(topic, listener) {
      assertOpen()
      const hear = (message) => {
        try {
          listener(message)
        } catch {
          // A listener that throws must not keep the message from the other listeners.
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
