import { describe, expect, it } from 'vitest'
import { createSimulatedEnv } from '../../../src/ports/env/simulated.ts'
import { ephemeralConformance } from '../../../src/ports/ephemeral/conformance.ts'
import { createMemoryEphemeral } from '../../../src/ports/ephemeral/memory.ts'

const env = createSimulatedEnv({ seed: 1, startMs: 0 })

ephemeralConformance({
  name: 'memory',
  open: async () => createMemoryEphemeral({ env }),
  sleep: async (ms) => env.advance(ms),
  slackMs: 0,
})

describe('memory ephemeral: its bound', () => {
  const overloaded = { code: 'overloaded', retriable: true }

  it('refuses a new key when living ones fill it, and none that is there', async () => {
    const ephemeral = createMemoryEphemeral({ env, keysMax: 3 })
    await ephemeral.putIfAbsent('value', '', 1_000)
    await ephemeral.hit('bucket', 10, 1_000)
    await ephemeral.join('set', 'member', 1_000)
    await expect(ephemeral.putIfAbsent('more', '', 1_000)).rejects.toMatchObject(overloaded)
    await expect(ephemeral.hit('more', 1, 1_000)).rejects.toMatchObject(overloaded)
    await expect(ephemeral.join('set', 'more', 1_000)).rejects.toMatchObject(overloaded)
    expect(await ephemeral.members('set', 10)).toEqual(['member'])
    expect(await ephemeral.putIfAbsent('value', '', 1_000)).toBe(false)
    expect((await ephemeral.hit('bucket', 10, 1_000)).remaining).toBe(8)
    await ephemeral.join('set', 'member', 2_000)
    await ephemeral.take('value')
    expect(await ephemeral.putIfAbsent('more', '', 1_000)).toBe(true)
  })

  it('has room again when the keys have died, of whatever kind', async () => {
    const keysMax = 999
    const ephemeral = createMemoryEphemeral({ env, keysMax })
    for (let round = 0; round < 5; round++) {
      for (let n = 0; n < keysMax / 3; n++) {
        await ephemeral.putIfAbsent(`value${n}`, '', 1_000)
        await ephemeral.hit(`bucket${round}-${n}`, 1, 1_000)
        await ephemeral.join(`set${n % 7}`, `member${round}-${n}`, 1_000)
      }
      await expect(ephemeral.putIfAbsent('more', '', 1_000)).rejects.toMatchObject(overloaded)
      env.advance(1_000)
    }
  })

  it('finds the dead among the living when it is full', async () => {
    const ephemeral = createMemoryEphemeral({ env, keysMax: 1_000 })
    for (let n = 0; n < 1_000; n++) await ephemeral.putIfAbsent(`key${n}`, '', n % 100 === 99 ? 10 : 10_000)
    env.advance(10)
    for (let n = 0; n < 10; n++) expect(await ephemeral.putIfAbsent(`new${n}`, '', 10_000)).toBe(true)
    await expect(ephemeral.putIfAbsent('more', '', 10_000)).rejects.toMatchObject(overloaded)
  })

  it('refuses calls after close', async () => {
    const ephemeral = createMemoryEphemeral({ env })
    await ephemeral.close()
    await expect(ephemeral.get('key')).rejects.toMatchObject({ code: 'shutting_down' })
  })
})
