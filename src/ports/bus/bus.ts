/**
 * Signals to whoever listens now.
 *
 * Promises: a listener gets a topic's messages in the order of one publisher, each at most once.
 * Does not promise: delivery. Every use must be right without it, only later.
 */
export interface Bus {
  publish(topic: string, message: Uint8Array): Promise<void>
  /** A listener that throws is not called again for that message; the others still are. */
  subscribe(topic: string, listener: (message: Uint8Array) => void): Promise<{ close(): Promise<void> }>
  close(): Promise<void>
}
