/**
 * The port `bus`: signals to the processes that listen at the moment.
 *
 * Promises
 * - A listener gets the messages that one publisher sends to a topic in the order of publishing, each at most once.
 *
 * Does not promise
 * - Delivery. Whatever uses the bus must be right without it, only later.
 */
export interface Bus {
  publish(topic: string, message: Uint8Array): Promise<void>
  /** When a listener throws, it does not get that message again; other listeners still get it. */
  subscribe(topic: string, listener: (message: Uint8Array) => void): Promise<{ close(): Promise<void> }>
  close(): Promise<void>
}
