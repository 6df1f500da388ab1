/** What every adapter of the bus port must do while nothing is lost, as a vitest suite: a test file of the adapter calls it. */

import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Bus } from './bus.ts'

export interface BusSuite {
  readonly name: string
  open(): Promise<Bus>
}

const WAIT = { timeout: 5_000, interval: 1 }
const bytes = (...values: number[]) => Uint8Array.from(values)

export function busConformance(suite: BusSuite): void {
  describe(`bus: ${suite.name}`, () => {
    const opened: Bus[] = []
    const openBus = async () => {
      const bus = await suite.open()
      opened.push(bus)
      return bus
    }
    afterEach(async () => {
      for (const bus of opened.splice(0)) await bus.close()
    })
    delivery(openBus)
    listeners(openBus)
  })
}

type OpenBus = () => Promise<Bus>

/** Collects the messages of a topic. `until` waits until there are so many. */
async function listen(bus: Bus, topic: string) {
  const heard: number[][] = []
  const subscription = await bus.subscribe(topic, (message) => heard.push([...message]))
  const until = (count: number) => vi.waitFor(() => expect(heard.length).toBeGreaterThanOrEqual(count), WAIT)
  return { heard, until, close: () => subscription.close() }
}

function delivery(openBus: OpenBus): void {
  it('gives each listener of a topic its messages, in order, once', async () => {
    const bus = await openBus()
    const [ann, bob, other] = [await listen(bus, 'a'), await listen(bus, 'a'), await listen(bus, 'b')]
    const sent = Array.from({ length: 1_000 }, (_, n) => [n >> 8, n & 255])
    for (const message of sent) await bus.publish('a', bytes(...message))
    await bus.publish('b', bytes(9))
    await Promise.all([ann.until(1_000), bob.until(1_000), other.until(1)])
    expect(ann.heard).toEqual(sent)
    expect(bob.heard).toEqual(sent)
    expect(other.heard).toEqual([[9]])
  })

  it('keeps the order of publishes that were not awaited', async () => {
    const bus = await openBus()
    const ann = await listen(bus, 'a')
    await Promise.all(Array.from({ length: 200 }, (_, n) => bus.publish('a', bytes(n))))
    await ann.until(200)
    expect(ann.heard).toEqual(Array.from({ length: 200 }, (_, n) => [n]))
  })

  it('carries any bytes, and takes them before publish returns', async () => {
    const bus = await openBus()
    const ann = await listen(bus, 'a')
    const all = Uint8Array.from({ length: 256 }, (_, n) => n)
    const published = [bus.publish('a', all), bus.publish('a', new Uint8Array())]
    all.fill(0)
    await Promise.all(published)
    await ann.until(2)
    expect(ann.heard).toEqual([Array.from({ length: 256 }, (_, n) => n), []])
  })

  it('takes a message that nobody listens to', async () => {
    const bus = await openBus()
    await expect(bus.publish('nobody', bytes(1))).resolves.toBeUndefined()
  })
}

function listeners(openBus: OpenBus): void {
  it('goes on for the others, and for later messages, when a listener throws', async () => {
    const bus = await openBus()
    let thrown = 0
    await bus.subscribe('a', () => {
      thrown++
      throw new Error('from a listener')
    })
    const ann = await listen(bus, 'a')
    await bus.publish('a', bytes(1))
    await bus.publish('a', bytes(2))
    await ann.until(2)
    expect(ann.heard).toEqual([[1], [2]])
    expect(thrown).toBe(2)
  })

  it('calls nothing after a subscription is closed, and the others still', async () => {
    const bus = await openBus()
    const [ann, bob] = [await listen(bus, 'a'), await listen(bus, 'a')]
    await bus.publish('a', bytes(1))
    await Promise.all([ann.until(1), bob.until(1)])
    await ann.close()
    await ann.close()
    await bus.publish('a', bytes(2))
    await bob.until(2)
    expect(ann.heard).toEqual([[1]])
    expect(bob.heard).toEqual([[1], [2]])
  })

  it('keeps the order when a listener publishes, and lets it close itself', async () => {
    const bus = await openBus()
    const closing = await bus.subscribe('a', () => {
      void closing.close()
      void bus.publish('a', bytes(2))
    })
    const ann = await listen(bus, 'a')
    await bus.publish('a', bytes(1))
    await ann.until(2)
    expect(ann.heard).toEqual([[1], [2]])
  })

  it('lets a listener subscribe another, which hears later messages', async () => {
    const bus = await openBus()
    let subscribed = 0
    const subscribeMore = () => {
      subscribed++
      if (subscribed < 100) void bus.subscribe('a', subscribeMore)
    }
    await bus.subscribe('a', subscribeMore)
    const ann = await listen(bus, 'a')
    await bus.publish('a', bytes(1))
    await ann.until(1)
    expect(subscribed).toBe(1)
  })

  it('refuses calls after close', async () => {
    const bus = await openBus()
    await bus.close()
    await expect(bus.publish('a', bytes(1))).rejects.toMatchObject({ code: 'shutting_down' })
    await expect(bus.subscribe('a', () => undefined)).rejects.toMatchObject({ code: 'shutting_down' })
  })
}
