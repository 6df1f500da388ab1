/** A connection to the Redis for the tests, and a key prefix that no other test uses. */

import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, inject } from 'vitest'
import { createRealEnv } from '../../src/ports/env/real.ts'
import { connectRedis, type Redis } from '../../src/ports/drivers/redis.ts'

/** Connects before the tests of a file, and closes after them. */
export function useRedis(): { readonly redis: Redis } {
  const held: { redis?: Redis } = {}
  beforeAll(async () => {
    held.redis = await connectRedis({
      env: createRealEnv(),
      nodes: inject('engines').redis ?? [],
      onNotice: () => undefined,
    })
  })
  afterAll(() => held.redis?.close())
  return held as { readonly redis: Redis }
}

export const freshPrefix = (): string => `${randomBytes(6).toString('hex')}:`
