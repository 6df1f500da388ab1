/** Rate limits, CORS and readiness, which depend on the options of a server. */

import { expect, it } from 'vitest'
import { createRateLimits } from '../../src/http/limits.ts'
import { createMemoryEphemeral } from '../../src/ports/ephemeral/memory.ts'
import { createRealEnv } from '../../src/ports/env/real.ts'
import { createSimulatedEnv } from '../../src/ports/env/simulated.ts'
import { createWorld, SERVER_KEY, type World } from './world.ts'

async function within(world: World, task: () => Promise<void>): Promise<void> {
  try {
    await task()
  } finally {
    await world.close()
  }
}

it('counts reads and writes of an account apart, says how many are left, and refuses the rest', async () => {
  // Time stands still, so that no bucket refills.
  const clock = createSimulatedEnv({ seed: 1, startMs: 0 })
  const ephemeral = createMemoryEphemeral({ env: clock })
  const rates = { read: 40, write: 20 }
  const world = await createWorld({ rateLimit: 'on', ephemeral, rates })
  await within(world, async () => {
    const alice = await world.person('alice')
    const bob = await world.person('bob')
    const write = (as: string) => world.call('PUT', `/api/v1/accounts/${bob.id}/mute`, { as })
    const first = await write(alice.token)
    expect(first.headers.get('ratelimit-limit')).toBe(String(rates.write))
    expect(first.headers.get('ratelimit-remaining')).toBe(String(rates.write - 1))
    expect(Number(first.headers.get('ratelimit-reset'))).toBeGreaterThan(0)
    await Promise.all(Array.from({ length: rates.write - 1 }, () => write(alice.token)))
    const over = await write(alice.token)
    expect(over.json).toMatchObject({ status: 429, code: 'rate_limited', retriable: true })
    expect(over.headers.get('ratelimit-remaining')).toBe('0')
    expect(Number(over.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    // Reads, other accounts and the application go on; acting for the account does not help it.
    expect((await world.call('GET', '/api/v1/feed', { as: alice.token })).status).toBe(200)
    expect((await world.call('PUT', `/api/v1/accounts/${alice.id}/mute`, { as: bob.token })).status).toBe(200)
    const application = await world.call('GET', '/api/v1/admin/policy', { as: SERVER_KEY })
    expect(application.headers.get('ratelimit-limit')).toBeNull()
    const acting = await world.call('PUT', `/api/v1/accounts/${bob.id}/mute`, {
      as: SERVER_KEY,
      headers: { 'rivulet-account': alice.id },
    })
    expect(acting.status).toBe(429)
    clock.advance(60_000)
    expect((await write(alice.token)).status).toBe(200)
  })
})

it('counts what comes another way in the same buckets, by its cost', async () => {
  const clock = createSimulatedEnv({ seed: 1, startMs: 0 })
  const ephemeral = createMemoryEphemeral({ env: clock })
  const rates = { read: 40, write: 20 }
  const world = await createWorld({ rateLimit: 'on', ephemeral, rates })
  await within(world, async () => {
    const alice = await world.person('alice')
    const limits = createRateLimits(ephemeral, rates)
    expect(await limits.admit(alice.number, limits.buckets.read, 30)).toMatchObject({
      allowed: true,
      remaining: 10,
    })
    const reply = await world.call('GET', '/api/v1/feed', { as: alice.token })
    expect(reply.headers.get('ratelimit-remaining')).toBe('9')
    expect(await limits.admit(alice.number, limits.buckets.read, 10)).toMatchObject({
      allowed: false,
      remaining: 9,
      retryAfterMs: 1_500,
    })
    // More than a whole bucket costs a whole bucket.
    expect(await limits.admit('elsewhere', limits.buckets.read, 1_000)).toMatchObject({ remaining: 0 })
    expect(limits.stats).toEqual({ limited: 1, uncounted: 0 })
  })
})

it('can be switched off', async () => {
  const world = await createWorld({ rateLimit: 'off' })
  await within(world, async () => {
    const alice = await world.person('alice')
    const reply = await world.call('GET', '/api/v1/feed', { as: alice.token })
    expect(reply.headers.get('ratelimit-limit')).toBeNull()
  })
})

it('lets requests through when they cannot be counted', async () => {
  const broken = {
    ...createMemoryEphemeral({ env: createRealEnv() }),
    hit: () => Promise.reject(new Error('gone')),
  }
  const world = await createWorld({ rateLimit: 'on', ephemeral: broken })
  await within(world, async () => {
    const alice = await world.person('alice')
    expect((await world.call('GET', '/api/v1/feed', { as: alice.token })).status).toBe(200)
    expect((await world.call('GET', '/metrics')).text).toContain('rivulet_rate_uncounted_total 1')
  })
})

it('allows pages of exactly the configured origins', async () => {
  const origin = 'https://app.example.com'
  const world = await createWorld({ corsOrigins: [origin] })
  await within(world, async () => {
    const from = (from: string, method = 'GET') =>
      world.call(method, '/api/v1/feed', {
        headers: { origin: from, 'access-control-request-method': 'GET' },
      })
    expect((await from(origin)).headers.get('access-control-allow-origin')).toBe(origin)
    const preflight = await from(origin, 'OPTIONS')
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-headers')).toContain('idempotency-key')
    for (const other of ['https://app.example.com.evil', 'http://app.example.com', 'null', 'https://evil']) {
      expect((await from(other)).headers.get('access-control-allow-origin')).toBeNull()
      expect((await from(other)).headers.get('vary')).toBe('origin')
      // Other origins get the methods, as anybody does, but no permission.
      const refused = await from(other, 'OPTIONS')
      expect([refused.status, refused.headers.get('allow')]).toEqual([204, 'GET, HEAD, OPTIONS'])
      expect([...refused.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
    }
    const curious = await world.call('OPTIONS', '/api/v1/feed', { headers: { origin } })
    expect([curious.status, curious.headers.get('allow')]).toEqual([204, 'GET, HEAD, OPTIONS'])
    expect(curious.headers.get('access-control-allow-origin')).toBe(origin)
  })
})

it('allows no origins by default', async () => {
  const world = await createWorld()
  await within(world, async () => {
    const reply = await world.call('GET', '/healthz', { headers: { origin: 'https://app.example.com' } })
    expect(reply.headers.get('access-control-allow-origin')).toBeNull()
    expect(reply.headers.get('x-content-type-options')).toBe('nosniff')
  })
})

it('answers 503 while it is not ready, and does not reveal the cause of a failure', async () => {
  const world = await createWorld({ notReady: () => 'not yet' })
  await within(world, async () => {
    const reply = await world.call('GET', '/readyz')
    expect(reply.json).toMatchObject({ status: 503, code: 'unavailable', retriable: true })
    expect(reply.headers.get('retry-after')).toBe('1')
    const alice = await world.person('alice')
    world.rivulet.feed.reads.home = () => Promise.reject(new Error('secret path /var/data'))
    const failed = await world.call('GET', '/api/v1/feed', { as: alice.token })
    expect(failed.json).toMatchObject({ status: 500, code: 'internal', retriable: false })
    expect(failed.text).not.toContain('secret')
    expect(failed.text).not.toContain('.ts')
    const line = world.logged.find((text) => text.includes('secret path')) ?? ''
    expect(line).toContain('a request failed')
    expect(line).toContain(failed.json.request_id)
  })
})
