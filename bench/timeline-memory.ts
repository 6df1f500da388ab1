/**
 * Measures bytes per entry, with everything counted (slabs, headers, directory, free space). The reference is sorted sets
 * in Redis (`used_memory` before and after). Both numbers are exact, so one run of each is enough.
 */

import { LIMITS } from '../src/core/limits.ts'
import { createMemoryViews } from '../src/ports/views/memory/memory.ts'
import type { Views } from '../src/ports/views/views.ts'
import { type Bench, type BenchContext, type BenchResult, format } from './harness.ts'
import { RawPipeline, type RedisServer, redisVersion, startRedis, zaddTail, zaddTo } from './redis.ts'

const BYTES_MAX = 16 * 2 ** 30
const FIRST_ID = 2 ** 51
const ID_STEP = 128
/** More entries than the capacity, so that a ring's oldest and newest blocks are both partly used. */
const TRIMMED = 7
const BATCH_OWNERS = 4_000

export const timelineMemory: Bench = {
  name: 'timeline-memory',
  describe: 'bytes per entry of a timeline, all in, against Redis sorted sets (goals: 14 bytes, 8 times)',
  run,
}

interface Case {
  readonly entries: number
  readonly accounts: number
  readonly redisAccounts: number
}

const cases = (quick: boolean): Case[] => [
  {
    entries: LIMITS.timelineEntriesMax,
    accounts: quick ? 20_000 : 200_000,
    redisAccounts: quick ? 500 : 2_000,
  },
  { entries: 50, accounts: quick ? 200_000 : 1_000_000, redisAccounts: quick ? 10_000 : 50_000 },
]

async function run({ quick, report }: BenchContext): Promise<BenchResult> {
  const version = redisVersion()
  if (version === undefined) report.line('redis-server is not installed: its columns are skipped')
  const redis = version === undefined ? undefined : await startRedis()
  try {
    const rows = [['entries', 'accounts', 'ours', `redis ${version ?? '-'}`, 'ratio']]
    const results: { ours: number; reference: number | null }[] = []
    for (const one of cases(quick)) {
      report.progress(`${one.entries} entries in each of ${format(one.accounts)} timelines`)
      const ours = await measureOurs(one)
      const reference = redis === undefined ? null : await measureRedis(one, redis)
      results.push({ ours, reference })
      rows.push([
        `${one.entries}`,
        format(one.accounts),
        ours.toFixed(2),
        reference === null ? '-' : `${reference.toFixed(2)} (${format(one.redisAccounts)} accounts)`,
        reference === null ? '-' : (reference / ours).toFixed(1),
      ])
    }
    report.table(rows)
    const [{ ours, reference }] = results
    return {
      ours,
      reference,
      ratio: reference === null ? null : reference / ours,
      unit: 'bytes/entry',
      runs: 1,
    }
  } finally {
    await redis?.stop()
  }
}

async function measureOurs({ entries, accounts }: Case): Promise<number> {
  const views = createMemoryViews({ bytesMax: BYTES_MAX })
  const owners = Uint32Array.from({ length: accounts }, (_, owner) => owner)
  for (let from = 0; from < accounts; from += BATCH_OWNERS) {
    const part = owners.subarray(from, from + BATCH_OWNERS)
    await views.open([...part])
    await fill(views, part, entries === views.capacity ? entries + TRIMMED : entries)
  }
  const stats = views.stats()
  if (stats.entries !== accounts * entries)
    throw new Error(`${stats.entries} entries instead of ${accounts * entries}`)
  return stats.bytes / stats.entries
}

async function fill(views: Views, owners: Uint32Array, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    await views.insert([{ id: FIRST_ID + n * ID_STEP, ref: n, kind: 0, owners }])
  }
}

async function measureRedis({ entries, redisAccounts }: Case, redis: RedisServer): Promise<number> {
  await redis.client.flushAll()
  const before = await redis.usedBytes()
  const pipeline = await RawPipeline.open(redis.socketPath)
  for (let owner = 0; owner < redisAccounts; owner++) {
    for (let n = 0; n < entries; n++) {
      if (pipeline.command(zaddTo(`t:${owner}`, zaddTail(FIRST_ID + n * ID_STEP)))) await pipeline.drain()
    }
  }
  await pipeline.drain(0)
  pipeline.close()
  return ((await redis.usedBytes()) - before) / (redisAccounts * entries)
}
