/** Timelines, short-lived keys and signals on Redis or Valkey. */

import { LIMITS } from '../core/limits.ts'
import { createRedisBus } from '../ports/bus/redis.ts'
import { connectRedis } from '../ports/drivers/redis.ts'
import { createRedisEphemeral } from '../ports/ephemeral/redis.ts'
import { createRedisViews } from '../ports/views/redis.ts'
import { createClosers } from './closers.ts'
import type { OpenPortsOptions, Volatile } from './ports.ts'

export async function openRedis(
  { env, config, onNotice }: OpenPortsOptions,
  nodes: readonly string[],
): Promise<Volatile> {
  const { redisUsername: username, redisPassword: password, redisPrefix } = config
  const closers = createClosers()
  const redis = closers.add(
    await connectRedis({
      env,
      nodes,
      onNotice,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
    }),
  )
  const prefix = `${redisPrefix}:`
  const views = closers.add(createRedisViews({ env, redis, prefix, capacity: LIMITS.timelineEntriesMax }))
  const ephemeral = closers.add(createRedisEphemeral({ redis, prefix }))
  const bus = closers.add(createRedisBus({ redis, prefix }))
  return { views, ephemeral, bus, close: closers.close }
}
