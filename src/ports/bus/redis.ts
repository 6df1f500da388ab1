/**
 * Signals through Redis, with sharded publish and subscribe, so that a cluster sends each message to one node only. A
 * process has one subscription for each topic, whatever the number of its listeners. Messages that are published while a
 * connection is lost are lost, as the contract allows.
 */

import { RivuletError } from '../../core/errors.ts'
import type { Redis } from '../drivers/redis.ts'
import type { Bus } from './bus.ts'

export interface RedisBusOptions {
  readonly redis: Redis
  /** Begins every channel of this deployment. */
  readonly prefix: string
  /** Receives errors that listeners throw. */
  readonly onListenerError?: (topic: string, error: unknown) => void
}

type Listener = (message: Uint8Array) => void

interface Topic {
  /** Replaced when it changes, so that a message goes to the listeners that there were when it came. */
  listeners: readonly { readonly listener: Listener }[]
  readonly subscribed: Promise<() => Promise<void>>
}

export function createRedisBus({ redis, prefix, onListenerError }: RedisBusOptions): Bus {
  const topics = new Map<string, Topic>()
  let isClosed = false

  function assertOpen(): void {
    if (isClosed) throw new RivuletError('shutting_down', 'the bus is closed')
  }

  function deliver(name: string, message: Uint8Array): void {
    for (const { listener } of topics.get(name)?.listeners ?? []) {
      try {
        listener(message)
      } catch (error) {
        onListenerError?.(name, error)
      }
    }
  }

  function topicOf(name: string): Topic {
    const known = topics.get(name)
    if (known !== undefined) return known
    const subscribed = redis.subscribe(`${prefix}bus:${name}`, (message) => deliver(name, message))
    const topic: Topic = { listeners: [], subscribed }
    topics.set(name, topic)
    subscribed.catch(() => topics.get(name) === topic && topics.delete(name))
    return topic
  }

  return {
    async publish(topic, message) {
      assertOpen()
      // Copied at once: the caller may reuse its buffer before the message is sent.
      await redis.publish(`${prefix}bus:${topic}`, Buffer.from(message))
    },
    async subscribe(name, listener) {
      assertOpen()
      const topic = topicOf(name)
      const own = { listener }
      topic.listeners = [...topic.listeners, own]
      const unsubscribe = await topic.subscribed
      return {
        async close() {
          topic.listeners = topic.listeners.filter((other) => other !== own)
          if (topic.listeners.length > 0 || topics.get(name) !== topic) return
          topics.delete(name)
          await unsubscribe()
        },
      }
    },
    async close() {
      isClosed = true
      const unsubscribing = [...topics.values()].map(({ subscribed }) => subscribed.then((end) => end()))
      topics.clear()
      await Promise.allSettled(unsubscribing)
    },
  }
}
