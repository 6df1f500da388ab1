import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { ephemeralConformance } from '../../../src/ports/ephemeral/conformance.ts'
import { createRedisEphemeral } from '../../../src/ports/ephemeral/redis.ts'
import { freshPrefix, useRedis } from '../../support/redis.ts'

const engines = useRedis()
const openWith = (prefix: string) => createRedisEphemeral({ redis: engines.redis, prefix })

ephemeralConformance({
  name: 'redis',
  open: async () => openWith(freshPrefix()),
  sleep: (ms) => sleep(ms),
  slackMs: 150,
})

describe('redis ephemeral: two clients', () => {
  it('have one winner, count one bucket and see one set', async () => {
    const prefix = freshPrefix()
    const [ann, bob] = [openWith(prefix), openWith(prefix)]
    const puts = [ann.putIfAbsent('claim', 'ann', 60_000), bob.putIfAbsent('claim', 'bob', 60_000)]
    expect((await Promise.all(puts)).filter(Boolean)).toHaveLength(1)
    const hits = await Promise.all(
      Array.from({ length: 10 }, (_, n) => [ann, bob][n % 2].hit('rate', 5, 60_000)),
    )
    expect(hits.filter(({ allowed }) => allowed)).toHaveLength(5)
    await ann.join('room', 'x', 60_000)
    expect(await bob.members('room', 10)).toEqual(['x'])
    await bob.leave('room', 'x')
    expect(await ann.members('room', 10)).toEqual([])
  })

  it('does not meet the keys of another prefix', async () => {
    const [ann, bob] = [openWith(freshPrefix()), openWith(freshPrefix())]
    await ann.putIfAbsent('claim', 'ann', 60_000)
    expect(await bob.get('claim')).toBeUndefined()
  })
})
