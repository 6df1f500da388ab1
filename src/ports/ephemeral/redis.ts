/**
 * Short-lived keys in Redis. Lifetimes go by the server's clock, the same for all processes. If that clock were set back,
 * a bucket would owe at most one window, and other keys would live longer by the difference.
 */

import { RivuletError } from '../../core/errors.ts'
import { defineScript, type Redis, type Reply } from '../drivers/redis.ts'
import { hitResult } from './buckets.ts'
import { assertRate, assertTtl, checkValue } from './checks.ts'
import type { Ephemeral, HitResult } from './ephemeral.ts'

export interface RedisEphemeralOptions {
  readonly redis: Redis
  /** Begins every key of this deployment. */
  readonly prefix: string
}

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`

/**
 * Takes tokens from a bucket, which is stored as the moment at which it is full again (buckets.ts). Returns whether it
 * was allowed, and the time until then in milliseconds, with fractions, since a token may take less than one.
 */
const HIT = defineScript(`
local limit, window, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local price = window / limit * cost
local full = tonumber(redis.call('GET', KEYS[1]) or now)
local owed = math.min(math.max(full - now, 0), window)
if owed + price > window + 0.001 then return {0, tostring(owed)} end
owed = owed + price
redis.call('SET', KEYS[1], string.format('%.3f', now + owed), 'PX', math.max(1, math.ceil(owed)))
return {1, tostring(owed)}`)

/** A sorted set of members by the moment at which they die; the key lives as long as its last member. */
const JOIN = defineScript(`${NOW}
local ends = now + tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], ends, ARGV[1])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], last[2])`)

const MEMBERS = defineScript(`${NOW}
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'LIMIT', 0, ARGV[1])`)

export function createRedisEphemeral({ redis, prefix }: RedisEphemeralOptions): Ephemeral {
  let isClosed = false
  /** Values, buckets and sets with the same name have different keys. */
  const keyOf = (kind: 'value' | 'bucket' | 'set', key: string) => {
    if (isClosed) throw new RivuletError('shutting_down', 'the short-lived keys are closed')
    return `${prefix}${kind}:${key}`
  }
  const send = (key: string, ...args: string[]) => redis.send(key, [args[0], key, ...args.slice(1)])

  return {
    async putIfAbsent(name, value, ttlMs) {
      const key = keyOf('value', name)
      assertTtl(ttlMs)
      checkValue(value)
      return (await send(key, 'SET', value, 'NX', 'PX', wholeMs(ttlMs))) !== null
    },
    get: async (name) => textOf(await send(keyOf('value', name), 'GET')),
    take: async (name) => textOf(await send(keyOf('value', name), 'GETDEL')),
    async hit(name, limit, windowMs, cost = 1): Promise<HitResult> {
      const key = keyOf('bucket', name)
      assertRate(limit, windowMs, cost)
      const [allowed, owed] = (await redis.run(HIT, key, [limit, windowMs, cost].map(String))) as Reply[]
      return hitResult(allowed === 1, Number(String(owed)), windowMs, limit, cost)
    },
    async join(name, member, ttlMs) {
      const key = keyOf('set', name)
      assertTtl(ttlMs)
      await redis.run(JOIN, key, [member, wholeMs(ttlMs)])
    },
    async leave(name, member) {
      await send(keyOf('set', name), 'ZREM', member)
    },
    async members(name, limit) {
      const key = keyOf('set', name)
      if (limit <= 0) return []
      return ((await redis.run(MEMBERS, key, [String(limit)])) as Reply[]).map(String)
    },
    async close() {
      isClosed = true
    },
  }
}

const wholeMs = (ttlMs: number): string => String(Math.ceil(ttlMs))
const textOf = (reply: Reply): string | undefined => (reply === null ? undefined : String(reply))
