/** Drills on Redis, which only holds data that can be made again. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Drill } from '../drill.ts'
import { isDead, primariesOf } from './proofs.ts'
import { allKilled, freeze, restart, thaw } from './strikes.ts'

const CLUSTER = { redis: 3 } as const
const FAILOVER_WITHIN_MS = 20_000

const killed: Drill = {
  name: 'redis-killed',
  describe: 'one Redis server: kill -9, started again 5 s later and empty',
  lastsMs: 5_000,
  async strike({ engines: { redis }, struck }) {
    await redis.kill(0)
    struck('Redis is killed', isDead(redis, 0))
  },
  mend: ({ engines: { redis } }) => redis.restart(0),
}

const frozen: Drill = {
  name: 'redis-frozen',
  describe: 'one Redis server: SIGSTOP for 15 s',
  lastsMs: 15_000,
  strike: (stage) => freeze(stage, 'redis', 0, 'Redis'),
  mend: ({ engines }) => thaw(engines.redis),
}

/** Waits until a replica is promoted; without a failover the drill would show nothing. */
async function awaitFailover(
  stage: Parameters<Drill['strike']>[0],
  before: readonly number[],
): Promise<void> {
  const untilMs = performance.now() + FAILOVER_WITHIN_MS
  while (performance.now() < untilMs) {
    const promoted = primariesOf(stage.engines.redis).filter((index) => !before.includes(index))
    if (promoted.length > 0) {
      stage.say(`${stage.engines.redis.nodes[promoted[0]].name} is primary now`)
      return
    }
    await sleep(100)
  }
  throw new Error('the fault did not happen: no replica was promoted')
}

const primaryKilled: Drill = {
  name: 'redis-primary-killed',
  describe:
    'three primaries with a replica each: kill -9 of one primary, started again once its replica took over',
  nodes: CLUSTER,
  lastsMs: 10_000,
  healsByItself: true,
  async strike(stage) {
    const { redis } = stage.engines
    const before = primariesOf(redis)
    await redis.kill(before[0])
    stage.struck(`${redis.nodes[before[0]].name}, a primary, is killed`, isDead(redis, before[0]))
    await awaitFailover(stage, before)
  },
  mend: ({ engines }) => restart(engines.redis),
}

const primaryFrozen: Drill = {
  name: 'redis-primary-frozen',
  describe: 'three primaries with a replica each: SIGSTOP of one primary for at least 15 s',
  nodes: CLUSTER,
  lastsMs: 15_000,
  healsByItself: true,
  async strike(stage) {
    const { redis } = stage.engines
    const before = primariesOf(redis)
    await freeze(stage, 'redis', before[0], `${redis.nodes[before[0]].name}, a primary,`)
    await awaitFailover(stage, before)
  },
  mend: ({ engines }) => thaw(engines.redis),
}

/**
 * Until the primary learns that it was replaced, it accepts writes for slots that belong to its successor. These writes
 * are lost when it becomes a replica.
 */
const primaryCutOff: Drill = {
  name: 'redis-primary-cut-off',
  describe:
    'three primaries with a replica each: one is cut off from the other nodes for at least 15 s, and not from its clients',
  nodes: CLUSTER,
  splitsRedis: true,
  lastsMs: 15_000,
  healsByItself: true,
  async strike(stage) {
    const { engines, network, struck } = stage
    const before = primariesOf(engines.redis)
    network?.cut()
    await awaitFailover(stage, before)
    const after = primariesOf(engines.redis)
    struck(
      `${engines.redis.nodes[0].name} is cut off, and still calls itself a primary beside its successor`,
      before.includes(0) && after.includes(0) && after.length > before.length,
    )
  },
  mend: async ({ network }) => network?.heal(),
}

const allLost: Drill = {
  name: 'redis-all-lost',
  describe: 'three primaries with a replica each: all six killed, started again 5 s later and empty',
  nodes: CLUSTER,
  lastsMs: 5_000,
  // The nodes find each other through their `nodes.conf`, so the same cluster comes up again, without its data.
  ...allKilled('redis', 'Redis'),
}

export const redisDrills: readonly Drill[] = [
  killed,
  frozen,
  primaryKilled,
  primaryFrozen,
  primaryCutOff,
  allLost,
]
