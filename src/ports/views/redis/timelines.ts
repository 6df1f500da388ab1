/** The life of timelines: opened under a new epoch, filled by `merge`, made readable by `settle`, evicted. */

import { RivuletError } from '../../../core/errors.ts'
import type { Env } from '../../env/env.ts'
import type { Reply } from '../../drivers/redis.ts'
import type { Views } from '../views.ts'
import type { Group } from './group.ts'
import { groupOf } from './keys.ts'
import { encodeEntries, f64Bytes, u32Bytes } from './layout.ts'
import { EVICT, MERGE, OPEN, SETTLE } from './scripts.ts'
import type { Trimmer } from './trimmer.ts'

export type Timelines = Pick<Views, 'open' | 'merge' | 'settle' | 'evict'>

export function createTimelines(env: Env, groups: readonly Group[], trimmer: Trimmer): Timelines {
  return {
    async open(owners) {
      const epochs = owners.map(() => Buffer.from(env.randomBytes(4)).readUInt32LE() || 1)
      const epochOf = new Map(owners.map((owner, i) => [owner, epochs[i]]))
      const parts = byGroup(owners, (owner) =>
        Buffer.concat([u32Bytes(owner), u32Bytes(epochOf.get(owner) ?? 0)]),
      )
      const opened = [...parts].map(([group, bytes]) =>
        groups[group].change({ script: OPEN, args: [Buffer.concat(bytes)], isRepeatable: false }),
      )
      const replies = await Promise.all(opened)
      if (replies.includes(undefined))
        throw new RivuletError('unavailable', 'Redis does not take timelines at the moment; retry later')
      return owners.map((owner) => epochOf.get(owner) ?? 0)
    },
    async merge(owner, epoch, entries) {
      const args = [String(owner), u32Bytes(epoch), encodeEntries(entries)]
      const reply = await groups[groupOf(owner)].change({ script: MERGE, args, isRepeatable: true })
      if (Number(reply?.[0]) >= trimmer.fullBytes) trimmer.trim(owner)
      return isMade(reply)
    },
    async settle(owner, epoch, floor) {
      const args = [String(owner), u32Bytes(epoch), f64Bytes(floor)]
      return isMade(await groups[groupOf(owner)].change({ script: SETTLE, args, isRepeatable: true }))
    },
    async evict(owners) {
      const parts = byGroup(owners, u32Bytes)
      const evicted = [...parts].map(([group, bytes]) =>
        groups[group].change({ script: EVICT, args: [Buffer.concat(bytes)], isRepeatable: true }),
      )
      await Promise.all(evicted)
    },
  }
}

/** Owners, each written as the scripts take it, by their group. */
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

/** When the answer was lost (an empty reply), it is not known whether the epoch was right: the caller hears that it was not. */
const isMade = (reply: readonly Reply[] | undefined): boolean =>
  reply !== undefined && reply.length > 0 && Number(reply[0]) > 0
