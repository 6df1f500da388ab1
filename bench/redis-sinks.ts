/**
 * Two ways to insert posts into followers' sorted sets in Redis, both with bare ids as members: ZADD and ZREMRANGEBYRANK
 * for each insert, through pipelines of the usual client; and, tuned beyond what is usual, raw RESP with a trim only after
 * every 64th insert into a timeline.
 */

import { LIMITS } from '../src/core/limits.ts'
import { RawPipeline, type RedisServer, trimTo, zaddTail, zaddTo } from './redis.ts'

export interface Sink {
  /** Returns a promise when the caller should wait before it goes on. */
  insert(follower: number, id: number): Promise<unknown> | undefined
  /** Resolves when Redis has answered everything. */
  end(): Promise<unknown>
}

const CAPACITY = LIMITS.timelineEntriesMax
const COMMANDS_A_PIPELINE = 1_000
const TRIM_EVERY = 64
const COUNTERS = 2 ** 21

export const timelineKey = (owner: number): string => `t:${owner}`

/** A thousand commands per pipeline, and two pipelines in flight. */
export function clientSink({ client }: RedisServer): Sink {
  let pipeline = client.multi()
  let size = 0
  let underWay: Promise<unknown> = Promise.resolve()
  const flush = () => {
    const before = underWay
    underWay = pipeline.execAsPipeline()
    pipeline = client.multi()
    size = 0
    return before
  }
  return {
    insert(follower, id) {
      const key = timelineKey(follower)
      pipeline.zAdd(key, { score: id, value: `${id}` }).zRemRangeByRank(key, 0, -CAPACITY - 1)
      size += 2
      return size >= COMMANDS_A_PIPELINE ? flush() : undefined
    },
    end: () => flush().then(() => underWay),
  }
}

export async function rawSink({ socketPath }: RedisServer): Promise<Sink> {
  const pipeline = await RawPipeline.open(socketPath)
  const counts = new Uint8Array(COUNTERS)
  let lastId = 0
  let tail = ''
  return {
    insert(follower, id) {
      if (id !== lastId) tail = zaddTail((lastId = id))
      const key = timelineKey(follower)
      let isFull = pipeline.command(zaddTo(key, tail))
      if (++counts[follower % COUNTERS] % TRIM_EVERY === 0) isFull = pipeline.command(trimTo(key, CAPACITY))
      return isFull ? pipeline.drain() : undefined
    },
    async end() {
      await pipeline.drain(0)
      pipeline.close()
    },
  }
}
