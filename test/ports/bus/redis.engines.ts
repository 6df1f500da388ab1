import { expect, it, vi } from 'vitest'
import { busConformance } from '../../../src/ports/bus/conformance.ts'
import { createRedisBus } from '../../../src/ports/bus/redis.ts'
import { freshPrefix, useRedis } from '../../support/redis.ts'

const engines = useRedis()
const openWith = (prefix: string) => createRedisBus({ redis: engines.redis, prefix })

busConformance({ name: 'redis', open: async () => openWith(freshPrefix()) })

it('carries signals from one client to another, and not across prefixes', async () => {
  const prefix = freshPrefix()
  const [ann, bob, other] = [openWith(prefix), openWith(prefix), openWith(freshPrefix())]
  const heard: string[] = []
  await bob.subscribe('topic', (message) => heard.push(`bob ${Buffer.from(message)}`))
  await other.subscribe('topic', (message) => heard.push(`other ${Buffer.from(message)}`))
  await ann.publish('topic', Buffer.from('hello'))
  await vi.waitFor(() => expect(heard).toEqual(['bob hello']))
})
