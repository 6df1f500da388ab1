import { describe, expect, it } from 'vitest'
import { createSimulatedEnv } from '../../../src/ports/env/simulated.ts'

const startMs = Date.UTC(2030, 0, 1)

describe('the simulated env', () => {
  it('repeats itself by seed', () => {
    const draw = (seed: number) => {
      const env = createSimulatedEnv({ seed, startMs })
      return [env.random(), env.random(), ...env.randomBytes(8)]
    }
    expect(draw(7)).toEqual(draw(7))
    expect(draw(7)).not.toEqual(draw(8))
  })

  it('draws evenly from [0, 1)', () => {
    const env = createSimulatedEnv({ seed: 1, startMs })
    const buckets = Array.from({ length: 10 }, () => 0)
    for (let n = 0; n < 100_000; n++) buckets[Math.floor(env.random() * 10)]++
    for (const count of buckets) expect(Math.abs(count - 10_000)).toBeLessThan(500)
  })

  it('moves only when told to, and jumps the wall clock alone', () => {
    const env = createSimulatedEnv({ seed: 1, startMs })
    expect([env.wallMs(), env.monotonicMs()]).toEqual([startMs, 0])
    env.advance(1_500)
    env.jumpWall(-10_000)
    expect([env.wallMs(), env.monotonicMs()]).toEqual([startMs - 8_500, 1_500])
  })

  it('fires timers in order, each at its time, also those set on the way', () => {
    const env = createSimulatedEnv({ seed: 1, startMs })
    const fired: string[] = []
    const note = (name: string) => () => fired.push(`${name}@${env.monotonicMs()}`)
    env.timer(30, note('c'))
    env.timer(10, () => {
      note('a')()
      env.timer(5, note('b'))
    })
    env.timer(30, note('d'))
    env.timer(20, note('cancelled')).cancel()
    env.timer(31, note('late'))
    env.advance(30)
    expect(fired).toEqual(['a@10', 'b@15', 'c@30', 'd@30'])
    env.advance(1)
    expect(fired.at(-1)).toBe('late@31')
  })

  it('lets promises settle between timers in `run`', async () => {
    const env = createSimulatedEnv({ seed: 1, startMs })
    const fired: number[] = []
    const tick = async () => {
      fired.push(env.monotonicMs())
      await env.yield()
      if (fired.length < 4) env.timer(10, () => void tick())
    }
    env.timer(10, () => void tick())
    await env.run(100)
    expect(fired).toEqual([10, 20, 30, 40])
    expect(env.monotonicMs()).toBe(100)
  })

  it('orders those who yield by the seed, and leaves none behind', async () => {
    const order = async (seed: number) => {
      const env = createSimulatedEnv({ seed, startMs })
      const done: number[] = []
      await Promise.all([0, 1, 2, 3, 4, 5].map((n) => env.yield().then(() => done.push(n))))
      return done
    }
    expect(await order(3)).toEqual(await order(3))
    const orders = await Promise.all([1, 2, 3, 4].map(order))
    expect(new Set(orders.map(String)).size).toBeGreaterThan(1)
    for (const done of orders) expect([...done].sort()).toEqual([0, 1, 2, 3, 4, 5])
  })
})
