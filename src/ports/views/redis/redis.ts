/**
 * Timelines in Redis. A timeline is one string (layout.ts), and every timeline belongs to a group (keys.ts). All
 * changes of one group in a call of this port go to Redis in one call (group.ts). Inserting only appends; a
 * timeline that is full by then is read, shortened and put back (trimmer.ts).
 */

import { RivuletError } from '../../../core/errors.ts'
import type { Env } from '../../env/env.ts'
import type { Redis } from '../../drivers/redis.ts'
import { createGroup, type Group, type GroupStats } from './group.ts'
import { createHorizons } from './horizons.ts'
import { createInsertBatch } from './insert.ts'
import { createKeys, GROUPS, groupOf, HOME } from './keys.ts'
import { createLanes } from './lanes.ts'
import { groupBytesOf, readPage } from './layout.ts'
import { INSERT } from './scripts.ts'
import { createTimelines } from './timelines.ts'
import { createTrimmer } from './trimmer.ts'
import type { Keep, Views } from '../views.ts'

export { GROUPS } from './keys.ts'

export interface RedisViewsOptions {
  readonly env: Env
  readonly redis: Redis
  /** Begins every key of this deployment. */
  readonly prefix: string
  /** Of the view (`ViewSpec`). Views with different names live beside each other. Default: `home`. */
  readonly name?: string
  /** Default: `all`. */
  readonly keep?: Keep
  readonly capacity: number
  readonly lanes: number
  /** Receives sentences for the operator. */
  readonly onNotice?: (text: string) => void
}

export interface RedisViews extends Views {
  readonly groups: Readonly<GroupStats>
}

export function createRedisViews(options: RedisViewsOptions): RedisViews {
  const { env, redis, capacity, keep = 'all', lanes: laneCount, onNotice = () => undefined } = options
  const stats: GroupStats = { replays: 0, resets: 0, lost: 0 }
  const writer = Buffer.from(env.randomBytes(9)).toString('base64url')
  const keys = createKeys(options.prefix, options.name ?? HOME)
  const lanes = createLanes(laneCount)
  const bytes = groupBytesOf(laneCount)
  const groups: readonly Group[] = keys.groups.map((name) =>
    createGroup({ env, redis, name, bytes, writer, lanes, stats, onNotice }),
  )
  const trimmer = createTrimmer(redis, keys, capacity, keep)
  const horizons = createHorizons({ redis, names: keys.groups, groupBytes: bytes, groups, lanes })
  const timelines = createTimelines(env, groups, trimmer)
  const fullBytes = String(trimmer.fullBytes)

  let isClosed = false

  /** The same call, refused once the views are closed. */
  const whileOpen =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    (...args: A): Promise<R> =>
      isClosed ? Promise.reject(viewsClosed()) : call(...args)

  async function insertInto(group: number, bytes: Buffer, owners: number): Promise<number> {
    const change = { script: INSERT, args: [fullBytes, bytes], isRepeatable: true }
    const reply = await groups[group].change(change)
    if (reply === undefined) return owners
    const [absents, full] = reply as readonly (readonly number[])[]
    for (const owner of full ?? []) trimmer.trim(owner)
    return absents?.[0] ?? 0
  }

  return {
    capacity,
    lanes: laneCount,
    groups: stats,
    async insert(spreads) {
      if (isClosed) throw viewsClosed()
      const batch = createInsertBatch(GROUPS)
      for (const spread of spreads) batch.add(spread)
      const calls = batch.parts().map(({ group, bytes, owners }) => insertInto(group, bytes, owners))
      let absent = 0
      for (const count of await Promise.all(calls)) absent += count
      return { inserted: batch.owners - absent, absent }
    },
    async range(owner, below, limit) {
      if (isClosed) throw viewsClosed()
      const group = keys.groups[groupOf(owner)]
      const found = (await redis.send(group, ['MGET', group, keys.timeline(owner)])) as (Buffer | null)[]
      return readPage(found[0], found[1], { keep, capacity, lanes: laneCount, below, limit })
    },
    open: whileOpen(timelines.open),
    merge: whileOpen(timelines.merge),
    settle: whileOpen(timelines.settle),
    evict: whileOpen(timelines.evict),
    advance: whileOpen(horizons.advance),
    adopt: whileOpen(horizons.adopt),
    stats: () => undefined,
    async close() {
      isClosed = true
      trimmer.stop()
      for (const group of groups) group.stop()
    },
  }
}

const viewsClosed = () => new RivuletError('shutting_down', 'the views are closed')
