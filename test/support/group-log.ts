/**
 * One log in memory that several processes share, as consumers share the partitions of a topic. The owners of partitions
 * change with every process that comes or goes, and processes hear of a change at different times: for a while two of
 * them may believe that they own a partition, or none.
 */

import type { Env } from '../../src/ports/env/env.ts'
import { sleep } from '../../src/ports/env/sleep.ts'
import type { Log, LogConsumer, LogFollower } from '../../src/ports/log/log.ts'

interface Member {
  own: readonly number[]
  onAssigned(partitions: readonly number[]): Promise<void>
}

const HEARD_WITHIN_MS = 200
const GONE_AFTER_MS = 2_000
const LATE = 0.2
const LATE_MS = 100
const VERY_LATE = 0.005
const VERY_LATE_MS = 6_000

export interface GroupLog {
  /** The log as one process sees it. */
  client(): { readonly log: Log; die(): void }
}

export function createGroupLog(env: Env, random: () => number, server: Log): GroupLog {
  const members: Member[] = []
  const committed = new Array<number>(server.partitions).fill(0)

  function rebalance(): void {
    members.forEach((member, i) => {
      const own = committed.flatMap((_, partition) => (partition % members.length === i ? [partition] : []))
      member.own = own
      env.timer(Math.ceil(random() * HEARD_WITHIN_MS), () => {
        // A change that was overtaken by another one is never told.
        if (members.includes(member) && member.own === own) void member.onAssigned(own)
      })
    })
  }

  function leave(member: Member): void {
    const at = members.indexOf(member)
    if (at < 0) return
    members.splice(at, 1)
    rebalance()
  }

  /** Followers see records some time later than owners. */
  const late = (follower: LogFollower): LogFollower => ({
    async next(recordsMax) {
      const batch = await follower.next(recordsMax)
      if (random() < LATE) await sleep(env, random() * LATE_MS)
      if (random() < VERY_LATE) await sleep(env, random() * VERY_LATE_MS)
      return batch
    },
    seek: (partition, position) => follower.seek(partition, position),
    leave: (partition) => follower.leave(partition),
    close: () => follower.close(),
  })

  async function join(told: (partitions: readonly number[]) => void) {
    const follower = await server.follow()
    let owned = new Set<number>()
    const member: Member = {
      own: [],
      async onAssigned(partitions) {
        const next = new Set(partitions)
        for (const partition of owned) if (!next.has(partition)) follower.leave(partition)
        const gained = partitions.filter((partition) => !owned.has(partition))
        owned = next
        await Promise.all(gained.map((partition) => follower.seek(partition, committed[partition])))
        told(partitions)
      },
    }
    members.push(member)
    rebalance()
    const consumer: LogConsumer = {
      next: (recordsMax) => follower.next(recordsMax),
      seek: (partition, position) => follower.seek(partition, position),
      async commit(partition, position) {
        if (owned.has(partition)) committed[partition] = position
      },
      async close() {
        leave(member)
        await follower.close()
      },
    }
    return { member, consumer }
  }

  return {
    client() {
      let own: Member | undefined
      return {
        log: {
          epoch: server.epoch,
          partitions: server.partitions,
          partitionOf: (key) => server.partitionOf(key),
          append: (records) => server.append(records),
          bounds: () => server.bounds(),
          release: (positions) => server.release(positions),
          follow: async () => late(await server.follow()),
          close: async () => undefined,
          async consumer(_group, told = () => undefined) {
            const { member, consumer } = await join(told)
            own = member
            return consumer
          },
        },
        // Others hear of a killed process only after it has been silent for long.
        die: () => void env.timer(GONE_AFTER_MS, () => own !== undefined && leave(own)),
      }
    },
  }
}
