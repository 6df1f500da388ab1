/**
 * Signals within this process. Messages are delivered after `publish` has returned, from one queue for all topics: so a
 * listener that publishes does not call other listeners from within its own call, and order is kept. The queue is
 * bounded; messages that do not fit are dropped, as the contract allows.
 */

import { RivuletError } from '../../core/errors.ts'
import type { Env } from '../env/env.ts'
import type { Bus } from './bus.ts'

/** Messages delivered in one turn of the event loop, so that listeners that publish cannot block I/O. */
const BURST_MESSAGES = 256
const PENDING_MAX_DEFAULT = 65_536

export interface MemoryBusOptions {
  readonly env: Pick<Env, 'yield'>
  readonly pendingMax?: number
  /** Receives errors that listeners throw. */
  readonly onListenerError?: (topic: string, error: unknown) => void
}

export interface MemoryBus extends Bus {
  /** Messages dropped because the queue was full. */
  readonly droppedTotal: number
}

type Listener = (message: Uint8Array) => void

interface Subscription {
  readonly listener: Listener
}

interface Signal {
  readonly topic: string
  readonly message: Uint8Array
}

export function createMemoryBus({
  env,
  pendingMax = PENDING_MAX_DEFAULT,
  onListenerError = () => undefined,
}: MemoryBusOptions): MemoryBus {
  return new InProcessBus(env, pendingMax, onListenerError)
}

class InProcessBus implements MemoryBus {
  droppedTotal = 0
  private readonly env: Pick<Env, 'yield'>
  private readonly pendingMax: number
  private readonly onListenerError: (topic: string, error: unknown) => void
  private readonly topics = new Map<string, Set<Subscription>>()
  private pending: Signal[] = []
  private delivering = false
  private closed = false

  constructor(
    env: Pick<Env, 'yield'>,
    pendingMax: number,
    onListenerError: (topic: string, error: unknown) => void,
  ) {
    this.env = env
    this.pendingMax = pendingMax
    this.onListenerError = onListenerError
  }

  async publish(topic: string, message: Uint8Array): Promise<void> {
    this.assertOpen()
    if (!this.topics.has(topic)) return
    if (this.pending.length >= this.pendingMax) {
      this.droppedTotal++
      return
    }
    // The publisher may reuse its buffer at once.
    this.pending.push({ topic, message: message.slice() })
    if (!this.delivering) void this.deliverAll()
  }

  async subscribe(topic: string, listener: Listener): Promise<{ close(): Promise<void> }> {
    this.assertOpen()
    const subscription = { listener }
    const subscriptions = this.topics.get(topic)
    if (subscriptions === undefined) this.topics.set(topic, new Set([subscription]))
    else subscriptions.add(subscription)
    return { close: async () => this.unsubscribe(topic, subscription) }
  }

  async close(): Promise<void> {
    this.closed = true
    this.pending = []
    this.topics.clear()
  }

  private unsubscribe(topic: string, subscription: Subscription): void {
    const subscriptions = this.topics.get(topic)
    subscriptions?.delete(subscription)
    if (subscriptions?.size === 0) this.topics.delete(topic)
  }

  /** Never rejects: listeners are guarded, and `yield` has nothing to fail at. */
  private async deliverAll(): Promise<void> {
    this.delivering = true
    await Promise.resolve()
    while (this.pending.length > 0) {
      const burst = this.pending.splice(0, BURST_MESSAGES)
      for (const signal of burst) this.deliver(signal)
      if (this.pending.length > 0) await this.env.yield()
    }
    this.delivering = false
  }

  private deliver({ topic, message }: Signal): void {
    const subscriptions = this.topics.get(topic)
    // Iterates over a copy, or a listener that subscribes another one each time would never end.
    for (const subscription of [...(subscriptions ?? [])]) {
      if (!subscriptions?.has(subscription)) continue
      try {
        subscription.listener(message)
      } catch (error) {
        this.report(topic, error)
      }
    }
  }

  private report(topic: string, error: unknown): void {
    try {
      this.onListenerError(topic, error)
    } catch {
      // An error here must not stop the signals of other listeners.
    }
  }

  private assertOpen(): void {
    if (this.closed) throw new RivuletError('shutting_down', 'the bus is closed')
  }
}
