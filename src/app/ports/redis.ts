/** Opens timelines, short-lived keys and signals on Redis or Valkey. */

import { isRivuletError, RivuletError } from '../../core/errors.ts'
import { createRedisBus } from '../../ports/bus/redis.ts'
import { connectRedis, type Redis } from '../../ports/drivers/redis.ts'
import { createRedisEphemeral } from '../../ports/ephemeral/redis.ts'
import { createRedisViews, type RedisViews } from '../../ports/views/redis/redis.ts'
import type { ViewSpec } from '../../ports/views/views.ts'
import { homeView } from '../../feed/index.ts'
import type { Env } from '../../ports/env/env.ts'
import { createClosers } from '../closers.ts'
import { naming, tlsOf } from './security.ts'
import { otherSpecs } from './other-views.ts'
import type { Figure, OpenPortsOptions, Volatile } from './parts.ts'

const CLAIM_EVERY_MS = 5_000

export interface RedisPlace {
  readonly nodes: readonly string[]
  readonly deployment: string
  /** Lanes of the timelines: partitions of the log. */
  readonly lanes: number
}

export async function openRedis(
  options: OpenPortsOptions,
  { nodes, deployment, lanes }: RedisPlace,
): Promise<Volatile> {
  const { env, config, onNotice } = options
  const { redisUsername: username, redisPassword: password, redisPrefix } = config
  const closers = createClosers()
  const tls = tlsOf(config, 'redis')
  const login = {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls !== undefined && { tls }),
  }
  const redis = closers.add(await naming('redis', connectRedis({ env, nodes, onNotice, ...login })))
  const prefix = `${redisPrefix}:`
  const claiming = () => claim(redis, prefix, deployment)
  await claiming().catch(async (error: unknown) => {
    await closers.close()
    throw error
  })
  closers.add(keepClaim(claiming, env, onNotice))
  const open = (spec: ViewSpec) =>
    closers.add(createRedisViews({ env, redis, prefix, lanes, onNotice, ...spec }))
  const views = open(homeView)
  const otherViews = new Map(otherSpecs(options).map((spec) => [spec.name, open(spec)]))
  const ephemeral = closers.add(createRedisEphemeral({ redis, prefix }))
  const bus = closers.add(createRedisBus({ redis, prefix }))
  return { views, otherViews, ephemeral, bus, figures: figuresOf(views), close: closers.close }
}

const figuresOf = ({ groups }: RedisViews): Figure[] => [
  {
    name: 'rivulet_redis_replays_total',
    help: 'How often a group of timelines had lost changes and they were written again.',
    read: () => groups.replays,
    kind: 'total',
  },
  {
    name: 'rivulet_redis_resets_total',
    help: 'How often a group of timelines was given up, or used for the first time.',
    read: () => groups.resets,
    kind: 'total',
  },
  {
    name: 'rivulet_redis_groups_lost',
    help: 'Groups of timelines, of 256, that fan-out goes on without.',
    read: () => groups.lost,
  },
]

/** Claims the prefix: two deployments under one prefix would write into each other's timelines. */
async function claim(redis: Redis, prefix: string, deployment: string): Promise<void> {
  const key = `${prefix}deployment`
  await redis.send(key, ['SET', key, deployment, 'NX'])
  const owner = String(await redis.send(key, ['GET', key]))
  if (owner === deployment) return
  const message = `the keys of Redis that begin with ${prefix} belong to another deployment (${owner}; this is ${deployment}); set RIVULET_REDIS_PREFIX to a name of its own, or delete the key ${key} if that one is gone`
  throw new RivuletError('config_invalid', message)
}

/**
 * Claims the prefix again every few seconds, since a flush or an eviction in Redis removes the claim. If another
 * deployment has claimed it meanwhile, the operator is told.
 */
function keepClaim(claiming: () => Promise<void>, env: Env, onNotice: (text: string) => void) {
  let timer = env.timer(CLAIM_EVERY_MS, again)
  let isClosed = false
  function again(): void {
    claiming()
      .catch((error: unknown) => isRivuletError(error, 'config_invalid') && onNotice(error.message))
      .finally(() => {
        if (!isClosed) timer = env.timer(CLAIM_EVERY_MS, again)
      })
  }
  return {
    async close() {
      isClosed = true
      timer.cancel()
    },
  }
}
