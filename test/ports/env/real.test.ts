import { describe, expect, it } from 'vitest'
import { createRealEnv } from '../../../src/ports/env/real.ts'

describe('the real env', () => {
  const env = createRealEnv()

  it('has a clock, a monotonic clock and randomness', () => {
    expect(Math.abs(env.wallMs() - Date.now())).toBeLessThan(1_000)
    expect(env.monotonicMs()).toBeLessThanOrEqual(env.monotonicMs())
    expect(env.random()).toBeLessThan(1)
    expect(env.randomBytes(16)).toHaveLength(16)
  })

  it('fires a timer once, and not when it was cancelled', async () => {
    let fired = 0
    const cancelled = env.timer(1, () => (fired += 100))
    cancelled.cancel()
    await new Promise<void>((resolve) => {
      env.timer(5, () => {
        fired++
        resolve()
      })
      // Keeps the process alive, which the timer alone would not.
      setTimeout(resolve, 2_000).unref()
    })
    expect(fired).toBe(1)
  })

  it('does not fire a timer of months at once', async () => {
    let fired = false
    const timer = env.timer(100 * 24 * 3_600_000, () => (fired = true))
    for (let n = 0; n < 20; n++) await env.yield()
    await new Promise((resolve) => setTimeout(resolve, 20))
    timer.cancel()
    expect(fired).toBe(false)
  })
})
