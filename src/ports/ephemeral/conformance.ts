/** What every adapter of the ephemeral port must do, as a vitest suite: a test file of the adapter calls it. */

import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import type { Ephemeral } from './ephemeral.ts'

export interface EphemeralSuite {
  readonly name: string
  /** Gives an adapter without keys on every call. */
  open(): Promise<Ephemeral>
  /** Lets that much time pass for the adapter: a simulated clock, or a real wait. */
  sleep(ms: number): Promise<void>
  /** How far a real clock may be off; 0 for a simulated one. */
  readonly slackMs: number
}

const TTL_MS = 200
const LONG_MS = 60_000

export function ephemeralConformance(suite: EphemeralSuite): void {
  describe(`ephemeral: ${suite.name}`, () => {
    const opened: Ephemeral[] = []
    const openKeys = async () => {
      const ephemeral = await suite.open()
      opened.push(ephemeral)
      return ephemeral
    }
    afterEach(async () => {
      for (const ephemeral of opened.splice(0)) await ephemeral.close()
    })
    values(suite, openKeys)
    rates(suite, openKeys)
    costs(suite, openKeys)
    memberships(suite, openKeys)
  })
}

type OpenKeys = () => Promise<Ephemeral>

function values(suite: EphemeralSuite, openKeys: OpenKeys): void {
  it('has one winner of putIfAbsent among many at once', async () => {
    const ephemeral = await openKeys()
    const wins = await Promise.all(
      Array.from({ length: 50 }, (_, n) => ephemeral.putIfAbsent('claim', `${n}`, LONG_MS)),
    )
    expect(wins.filter(Boolean)).toHaveLength(1)
    expect(await ephemeral.get('claim')).toBe(`${wins.indexOf(true)}`)
  })

  it('has one winner of take among many at once, and the key is free again', async () => {
    const ephemeral = await openKeys()
    await ephemeral.putIfAbsent('ticket', 'value', LONG_MS)
    const taken = await Promise.all(Array.from({ length: 50 }, () => ephemeral.take('ticket')))
    expect(taken.filter((value) => value !== undefined)).toEqual(['value'])
    expect(await ephemeral.get('ticket')).toBeUndefined()
    expect(await ephemeral.putIfAbsent('ticket', 'next', LONG_MS)).toBe(true)
  })

  it('forgets a key when its life ends, and does not prolong it by a refused put or a get', async () => {
    const ephemeral = await openKeys()
    await ephemeral.putIfAbsent('short', '1', TTL_MS)
    await suite.sleep(TTL_MS / 2)
    expect(await ephemeral.putIfAbsent('short', '2', LONG_MS)).toBe(false)
    expect(await ephemeral.get('short')).toBe('1')
    await suite.sleep(TTL_MS / 2 + suite.slackMs)
    expect(await ephemeral.get('short')).toBeUndefined()
    expect(await ephemeral.take('short')).toBeUndefined()
    expect(await ephemeral.putIfAbsent('short', '3', LONG_MS)).toBe(true)
  })

  it('tells an empty value from none, and keeps any text up to 4 KiB', async () => {
    const ephemeral = await openKeys()
    const text = 'ü\u0000\n"'.repeat(819)
    await ephemeral.putIfAbsent('empty', '', LONG_MS)
    await ephemeral.putIfAbsent('käy \u{1f511}', text, LONG_MS)
    expect(await ephemeral.get('empty')).toBe('')
    expect(await ephemeral.get('käy \u{1f511}')).toBe(text)
    await expect(ephemeral.putIfAbsent('big', 'ü'.repeat(2_049), LONG_MS)).rejects.toMatchObject({
      code: 'payload_too_large',
    })
  })

  it('keeps values, buckets and sets of one key apart', async () => {
    const ephemeral = await openKeys()
    await ephemeral.putIfAbsent('same', 'value', LONG_MS)
    await ephemeral.hit('same', 5, LONG_MS)
    await ephemeral.join('same', 'member', LONG_MS)
    expect(await ephemeral.take('same')).toBe('value')
    expect(await ephemeral.members('same', 5)).toEqual(['member'])
    expect((await ephemeral.hit('same', 5, LONG_MS)).remaining).toBe(3)
  })
}

function costs(suite: EphemeralSuite, openKeys: OpenKeys): void {
  it('takes the tokens of a costly hit together, or none of them', async () => {
    const ephemeral = await openKeys()
    const windowMs = 3_600_000
    expect(await ephemeral.hit('key', 10, windowMs, 7)).toMatchObject({ allowed: true, remaining: 3 })
    const refused = await ephemeral.hit('key', 10, windowMs, 4)
    expect(refused).toMatchObject({ allowed: false, remaining: 3 })
    expectNear(refused.retryAfterMs, windowMs / 10, suite.slackMs)
    expect(await ephemeral.hit('key', 10, windowMs, 3)).toMatchObject({ allowed: true, remaining: 0 })
    await expect(ephemeral.hit('key', 10, windowMs, 11)).rejects.toMatchObject({ code: 'internal' })
  })
}

function rates(suite: EphemeralSuite, openKeys: OpenKeys): void {
  it('allows a full bucket at once, then tells when to come back', async () => {
    const ephemeral = await openKeys()
    const windowMs = 3_600_000
    for (const remaining of [2, 1, 0]) {
      const hit = await ephemeral.hit('key', 3, windowMs)
      expect(hit).toMatchObject({ allowed: true, remaining })
      if (remaining > 0) expect(hit.retryAfterMs).toBe(0)
      expectNear(hit.resetMs, ((3 - remaining) * windowMs) / 3, suite.slackMs)
    }
    const refused = await ephemeral.hit('key', 3, windowMs)
    expect(refused).toMatchObject({ allowed: false, remaining: 0 })
    expectNear(refused.retryAfterMs, windowMs / 3, suite.slackMs)
    expectNear(refused.resetMs, windowMs, suite.slackMs)
    expect(await ephemeral.hit('other', 3, windowMs)).toMatchObject({ allowed: true, remaining: 2 })
  })

  it('never counts one hit twice or misses one among many at once', async () => {
    const ephemeral = await openKeys()
    const hits = await Promise.all(Array.from({ length: 60 }, () => ephemeral.hit('busy', 40, 3_600_000)))
    expect(hits.filter(({ allowed }) => allowed)).toHaveLength(40)
  })

  it('allows a hit after the time it named, and a refused one costs nothing', async () => {
    const ephemeral = await openKeys()
    const windowMs = 10 * TTL_MS
    for (let n = 0; n < 10; n++) await ephemeral.hit('key', 10, windowMs)
    for (let n = 0; n < 5; n++) {
      const refused = await ephemeral.hit('key', 10, windowMs)
      expect(refused.allowed).toBe(false)
      await suite.sleep(refused.retryAfterMs + suite.slackMs)
      expect((await ephemeral.hit('key', 10, windowMs)).allowed).toBe(true)
    }
  })

  it('refills to the limit and not beyond', async () => {
    const ephemeral = await openKeys()
    for (let n = 0; n < 4; n++) await ephemeral.hit('key', 4, TTL_MS)
    await suite.sleep(3 * TTL_MS)
    expect(await ephemeral.hit('key', 4, TTL_MS)).toMatchObject({ allowed: true, remaining: 3 })
  })

  it('agrees with a bucket that is counted in tokens', async () => {
    if (suite.slackMs > 0) return
    const step = fc.record({ waitMs: fc.nat(400), hits: fc.integer({ min: 1, max: 4 }) })
    const limits = fc.record({
      limit: fc.integer({ min: 1, max: 7 }),
      windowMs: fc.integer({ min: 1, max: 1_000 }),
    })
    await fc.assert(
      fc.asyncProperty(limits, fc.array(step, { maxLength: 30 }), async ({ limit, windowMs }, steps) => {
        const ephemeral = await suite.open()
        let tokens = limit
        for (const { waitMs, hits } of steps) {
          await suite.sleep(waitMs)
          tokens = Math.min(limit, tokens + (waitMs * limit) / windowMs)
          for (let n = 0; n < hits; n++) {
            const allowed = tokens >= 1 - 1e-5
            if (allowed) tokens -= 1
            const hit = await ephemeral.hit('key', limit, windowMs)
            expect(hit).toMatchObject({ allowed, remaining: Math.max(0, Math.floor(tokens + 1e-5)) })
          }
        }
        await ephemeral.close()
      }),
    )
  })
}

function memberships(suite: EphemeralSuite, openKeys: OpenKeys): void {
  it('holds members once, until they leave or die', async () => {
    const ephemeral = await openKeys()
    await ephemeral.join('room', 'ann', LONG_MS)
    await ephemeral.join('room', 'bob', LONG_MS)
    await ephemeral.join('room', 'ann', LONG_MS)
    await ephemeral.join('room', 'eve', TTL_MS)
    expect((await ephemeral.members('room', 10)).toSorted()).toEqual(['ann', 'bob', 'eve'])
    await ephemeral.leave('room', 'bob')
    await ephemeral.leave('room', 'nobody')
    await ephemeral.leave('nowhere', 'ann')
    await suite.sleep(TTL_MS + suite.slackMs)
    expect(await ephemeral.members('room', 10)).toEqual(['ann'])
    expect(await ephemeral.members('nowhere', 10)).toEqual([])
  })

  it('renews a life by joining again, and gives one back after its end', async () => {
    const ephemeral = await openKeys()
    await ephemeral.join('room', 'ann', TTL_MS)
    await suite.sleep(TTL_MS * 0.6)
    await ephemeral.join('room', 'ann', TTL_MS)
    await suite.sleep(TTL_MS * 0.6)
    expect(await ephemeral.members('room', 10)).toEqual(['ann'])
    await suite.sleep(TTL_MS + suite.slackMs)
    expect(await ephemeral.members('room', 10)).toEqual([])
    await ephemeral.join('room', 'ann', LONG_MS)
    expect(await ephemeral.members('room', 10)).toEqual(['ann'])
  })

  it('gives at most as many as asked for, and only living ones', async () => {
    const ephemeral = await openKeys()
    for (let n = 0; n < 30; n++) await ephemeral.join('room', `short${n}`, TTL_MS)
    for (let n = 0; n < 30; n++) await ephemeral.join('room', `long${n}`, LONG_MS)
    await suite.sleep(TTL_MS + suite.slackMs)
    const some = await ephemeral.members('room', 7)
    expect(new Set(some).size).toBe(7)
    for (const name of some) expect(name).toMatch(/^long/)
    expect(await ephemeral.members('room', 0)).toEqual([])
  })

  it('keeps sets apart whatever their names', async () => {
    const ephemeral = await openKeys()
    await ephemeral.join('a', 'bc', LONG_MS)
    await ephemeral.join('ab', 'c', LONG_MS)
    await ephemeral.leave('a', 'bc')
    expect(await ephemeral.members('ab', 10)).toEqual(['c'])
  })
}

/** Expects a remaining time: `expectedMs`, less what may have passed since. */
function expectNear(ms: number, expectedMs: number, slackMs: number): void {
  expect(ms).toBeLessThanOrEqual(Math.ceil(expectedMs))
  expect(ms).toBeGreaterThanOrEqual(expectedMs - slackMs)
}
