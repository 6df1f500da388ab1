import { describe, expect, it } from 'vitest'
import { busConformance } from '../../../src/ports/bus/conformance.ts'
import { createMemoryBus } from '../../../src/ports/bus/memory.ts'
import { createRealEnv } from '../../../src/ports/env/real.ts'

const env = createRealEnv()

busConformance({ name: 'memory', open: async () => createMemoryBus({ env }) })

describe('memory bus', () => {
  it('drops what finds the queue full, and says so', async () => {
    const bus = createMemoryBus({ env, pendingMax: 10 })
    const heard: number[] = []
    await bus.subscribe('a', (message) => heard.push(message[0]))
    for (let n = 0; n < 15; n++) void bus.publish('a', Uint8Array.of(n))
    await env.yield()
    expect(heard).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(bus.droppedTotal).toBe(5)
    await bus.publish('a', Uint8Array.of(99))
    await env.yield()
    expect(heard.at(-1)).toBe(99)
  })

  it('lets other work run while listeners keep publishing', async () => {
    const bus = createMemoryBus({ env })
    let calls = 0
    await bus.subscribe('loop', (message) => {
      calls++
      void bus.publish('loop', message)
    })
    await bus.publish('loop', Uint8Array.of(1))
    for (let turn = 0; turn < 20; turn++) await env.yield()
    expect(calls).toBeGreaterThan(0)
    await bus.close()
    const callsAtClose = calls
    await env.yield()
    expect(calls).toBe(callsAtClose)
  })

  it('reports what a listener threw, and survives a reporter that throws', async () => {
    const errors: unknown[] = []
    const onListenerError = (topic: string, error: unknown) => {
      errors.push([topic, error])
      throw new Error('from the reporter')
    }
    const bus = createMemoryBus({ env, onListenerError })
    await bus.subscribe('a', () => {
      throw new RangeError('no')
    })
    await bus.publish('a', Uint8Array.of(1))
    await bus.publish('a', Uint8Array.of(2))
    await env.yield()
    expect(errors).toEqual([
      ['a', new RangeError('no')],
      ['a', new RangeError('no')],
    ])
  })
})
