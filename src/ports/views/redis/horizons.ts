/** Brings the horizons of lanes to every group: `advance` raises them, `adopt` checks what groups have. */

import type { Redis } from '../../drivers/redis.ts'
import type { LaneHorizons } from '../views.ts'
import type { Group } from './group.ts'
import type { Lanes } from './lanes.ts'
import { horizonOf } from './layout.ts'
import { ADVANCE } from './scripts.ts'

export interface Horizons {
  advance(horizons: LaneHorizons): Promise<void>
  adopt(horizons: LaneHorizons): Promise<boolean>
}

export interface HorizonsOptions {
  readonly redis: Redis
  /** Keys of the groups. */
  readonly names: readonly string[]
  /** Length of a group's value. */
  readonly groupBytes: number
  readonly groups: readonly Group[]
  readonly lanes: Lanes
}

export function createHorizons({ redis, names, groupBytes, groups, lanes }: HorizonsOptions): Horizons {
  let advancing: Promise<void> | undefined

  async function advanceAll(): Promise<void> {
    const round = lanes.round()
    const change = { script: ADVANCE, args: [round.bytes], isRepeatable: true }
    await Promise.all(groups.map((group) => group.change(change)))
    round.end()
  }

  /** Null for a group that is not there, undefined for one that cannot be read. */
  async function headOf(name: string): Promise<Buffer | null | undefined> {
    const head = await redis.send(name, ['GET', name]).catch(() => undefined)
    return head === null || (Buffer.isBuffer(head) && head.length === groupBytes) ? head : undefined
  }

  return {
    async advance(horizons) {
      lanes.want(horizons)
      // Calls that come while a round is under way share the next one.
      while (!lanes.isTold(horizons))
        await (advancing ??= advanceAll().finally(() => (advancing = undefined)))
    },
    async adopt(horizons) {
      const heads = await Promise.all(names.map(headOf))
      const found = heads.filter((head) => Buffer.isBuffer(head))
      // In lanes that this process had before, the next change of a group makes good what it lacks.
      const foreign = lanes.foreign(horizons)
      lanes.take(foreign, found)
      if (foreign.size > 0) {
        const behind = groups.filter((_, group) => isBehind(heads[group], foreign))
        await Promise.all(behind.map((group) => group.giveUp()))
      }
      return found.some((head) => !isBehind(head, horizons))
    },
  }
}

/** A group that could not be read may lack anything; one that never was there has no timelines to give up. */
function isBehind(head: Buffer | null | undefined, horizons: LaneHorizons): boolean {
  if (head === null || head === undefined) return head === undefined
  for (const [lane, id] of horizons) if (horizonOf(head, lane) < id) return true
  return false
}
