/**
 * Timelines in Redis, one string each (redis-layout.ts), hashed to groups that share a slot. What goes to one
 * group goes in one call (redis-group.ts); a full timeline is read, made shorter and put back.
 */

import { RivuletError } from '../../../core/errors.ts'
import type { Env } from '../../env/env.ts'
import type { Redis, Reply } from '../../drivers/redis.ts'
import { createGroup, type Group, type GroupStats } from './group.ts'
import { createInsertBatch } from './insert.ts'
import { createLanes } from './lanes.ts'
import {
  compact,
  encodeEntries,
  ENTRY_BYTES,
  f64Bytes,
  groupBytesOf,
  HEADER_BYTES,
  horizonOf,
  readPage,
  trimBoundsOf,
  u32Bytes,
} from './layout.ts'
import { ADVANCE, EVICT, INSERT, MERGE, OPEN, REPLACE, SETTLE } from './scripts.ts'
import type { LaneHorizons, Views } from '../views.ts'

export interface RedisViewsOptions {
  readonly env: Env
  readonly redis: Redis
  /** Begins every key of this deployment. */
  readonly prefix: string
  readonly capacity: number
  readonly lanes: number
  /** What an operator should know. */
  readonly onNotice?: (text: string) => void
}

export interface RedisViews extends Views {
  readonly groups: Readonly<GroupStats>
}

export const GROUPS = 256
const TRIMS_AT_ONCE_MAX = 16
/** A timeline that is to be trimmed must still end with these when it is. */
const TAIL_BYTES = 2 * ENTRY_BYTES

export function createRedisViews({
  env,
  redis,
  prefix,
  capacity,
  lanes: laneCount,
  onNotice = () => undefined,
}: RedisViewsOptions): RedisViews {
  const stats: GroupStats = { replays: 0, resets: 0, lost: 0 }
  const bounds = trimBoundsOf(capacity)
  const fullBytes = String(HEADER_BYTES + bounds.full * ENTRY_BYTES)
  const writer = Buffer.from(env.randomBytes(9)).toString('base64url')
  const trimming = new Set<number>()
  const lanes = createLanes(laneCount)
  const groupBytes = groupBytesOf(laneCount)
  let advancing: Promise<void> | undefined
  let isClosed = false

  const names = Array.from({ length: GROUPS }, (_, group) => `${prefix}v:{${group}}`)
  const nameOf = (group: number): string => names[group]
  const groupOf = (owner: number): number => owner % GROUPS
  const keyOf = (owner: number): string => `${nameOf(groupOf(owner))}:${owner}`
  /** Null where there is none, nothing where it cannot be read. */
  async function headOf(group: number): Promise<Buffer | null | undefined> {
    const name = nameOf(group)
    const head = await redis.send(name, ['GET', name]).catch(() => undefined)
    return head === null || (Buffer.isBuffer(head) && head.length === groupBytes) ? head : undefined
  }

  const groups: readonly Group[] = Array.from({ length: GROUPS }, (_, group) =>
    createGroup({ env, redis, name: nameOf(group), bytes: groupBytes, writer, lanes, stats, onNotice }),
  )

  function assertOpen(): void {
    if (isClosed) throw new RivuletError('shutting_down', 'the views are closed')
  }

  async function insertInto(group: number, bytes: Buffer, owners: number): Promise<number> {
    const change = { script: INSERT, args: [fullBytes, bytes], isRepeatable: true }
    const reply = await groups[group].change(change)
    if (reply === undefined) return owners
    const [absents, full] = reply as readonly (readonly number[])[]
    for (const owner of full ?? []) trim(owner)
    return absents?.[0] ?? 0
  }

  /** In the background: until it is done the timeline is only longer than it need be. */
  function trim(owner: number): void {
    if (trimming.has(owner) || trimming.size >= TRIMS_AT_ONCE_MAX || isClosed) return
    trimming.add(owner)
    void trimNow(owner)
      .catch(() => undefined) // the next insert asks again
      .finally(() => trimming.delete(owner))
  }

  async function trimNow(owner: number): Promise<void> {
    const key = keyOf(owner)
    const timeline = (await redis.send(key, ['GET', key])) as Buffer | null
    if (timeline === null || timeline.length < HEADER_BYTES + bounds.full * ENTRY_BYTES) return
    const [head, tail] = [timeline.subarray(0, 8), timeline.subarray(-TAIL_BYTES)]
    await redis.run(REPLACE, key, [head, String(timeline.length), tail, compact(timeline, bounds.keep)])
  }

  async function advanceAll(): Promise<void> {
    const round = lanes.round()
    const change = { script: ADVANCE, args: [round.bytes], isRepeatable: true }
    await Promise.all(groups.map((group) => group.change(change)))
    round.end()
  }

  /** Owners by their group, as the scripts take them. */
  function byGroup(owners: ArrayLike<number>, write: (owner: number) => Buffer): Map<number, Buffer[]> {
    const parts = new Map<number, Buffer[]>()
    for (let i = 0; i < owners.length; i++) {
      const group = groupOf(owners[i])
      const list = parts.get(group)
      if (list === undefined) parts.set(group, [write(owners[i])])
      else list.push(write(owners[i]))
    }
    return parts
  }

  const isMade = (reply: readonly Reply[] | undefined): boolean =>
    // Without an answer of its own, what was made is not known: as if the epoch were another.
    reply !== undefined && reply.length > 0 && Number(reply[0]) > 0

  return {
    capacity,
    lanes: laneCount,
    groups: stats,
    async insert(spreads) {
      assertOpen()
      const batch = createInsertBatch(GROUPS)
      for (const spread of spreads) batch.add(spread)
      const calls = batch.parts().map(({ group, bytes, owners }) => insertInto(group, bytes, owners))
      let absent = 0
      for (const count of await Promise.all(calls)) absent += count
      return { inserted: batch.owners - absent, absent }
    },
    async advance(horizons) {
      assertOpen()
      lanes.want(horizons)
      // What comes while a round is under way shares the next one.
      while (!lanes.isTold(horizons))
        await (advancing ??= advanceAll().finally(() => (advancing = undefined)))
    },
    async open(owners) {
      assertOpen()
      const epochs = owners.map(() => Buffer.from(env.randomBytes(4)).readUInt32LE() || 1)
      const epochOf = new Map(owners.map((owner, i) => [owner, epochs[i]]))
      const parts = byGroup(owners, (owner) =>
        Buffer.concat([u32Bytes(owner), u32Bytes(epochOf.get(owner) ?? 0)]),
      )
      const opened = [...parts].map(([group, bytes]) =>
        groups[group].change({ script: OPEN, args: [Buffer.concat(bytes)], isRepeatable: false }),
      )
      const replies = await Promise.all(opened)
      if (replies.includes(undefined)) throw new RivuletError('unavailable', 'Redis gave no answer')
      return owners.map((owner) => epochOf.get(owner) ?? 0)
    },
    async merge(owner, epoch, entries) {
      assertOpen()
      const args = [String(owner), u32Bytes(epoch), encodeEntries(entries)]
      const reply = await groups[groupOf(owner)].change({ script: MERGE, args, isRepeatable: true })
      if (Number(reply?.[0]) >= HEADER_BYTES + bounds.full * ENTRY_BYTES) trim(owner)
      return isMade(reply)
    },
    async settle(owner, epoch, floor) {
      assertOpen()
      const args = [String(owner), u32Bytes(epoch), f64Bytes(floor)]
      return isMade(await groups[groupOf(owner)].change({ script: SETTLE, args, isRepeatable: true }))
    },
    async range(owner, below, limit) {
      assertOpen()
      const group = nameOf(groupOf(owner))
      const found = (await redis.send(group, ['MGET', group, keyOf(owner)])) as (Buffer | null)[]
      return readPage(found[0], found[1], { capacity, lanes: laneCount, below, limit })
    },
    async evict(owners) {
      assertOpen()
      const parts = byGroup(owners, u32Bytes)
      const evicted = [...parts].map(([group, bytes]) =>
        groups[group].change({ script: EVICT, args: [Buffer.concat(bytes)], isRepeatable: true }),
      )
      await Promise.all(evicted)
    },
    async adopt(horizons) {
      assertOpen()
      const heads = await Promise.all(groups.map((_, group) => headOf(group)))
      const found = heads.filter((head) => Buffer.isBuffer(head))
      // Of lanes that were ours before, what is missing is made again with the next change.
      const foreign = lanes.foreign(horizons)
      lanes.take(foreign, found)
      if (foreign.size > 0) {
        const behind = groups.filter((_, group) => isBehind(heads[group], foreign))
        await Promise.all(behind.map((group) => group.giveUp()))
      }
      return found.some((head) => !isBehind(head, horizons))
    },
    stats: () => undefined,
    async close() {
      isClosed = true
      for (const group of groups) group.stop()
    },
  }
}

/** What nobody could read may be anything; of a group that never was there is nothing to give up. */
function isBehind(head: Buffer | null | undefined, horizons: LaneHorizons): boolean {
  if (head === null || head === undefined) return head === undefined
  for (const [lane, id] of horizons) if (horizonOf(head, lane) < id) return true
  return false
}
