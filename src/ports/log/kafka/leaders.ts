/** Who leads which partition, as a broker has told. */

import type { Broker } from '@platformatic/kafka'

export interface TopicState {
  readonly id: string
  readonly partitions: number
  /** Copies of each partition. */
  readonly replicas: number
  readonly brokers: number
  /** By partition; none while there is no leader. */
  readonly leaders: readonly (Leader | undefined)[]
}

export interface Leader extends Broker {
  readonly node: number
}

/** Those without a leader are left out. */
export function groupByLeader(
  topic: TopicState | undefined,
  partitions: readonly number[],
): [Leader, number[]][] {
  const groups = new Map<number, [Leader, number[]]>()
  for (const partition of partitions) {
    const leader = topic?.leaders[partition]
    if (leader === undefined) continue
    const group = groups.get(leader.node)
    if (group === undefined) groups.set(leader.node, [leader, [partition]])
    else group[1].push(partition)
  }
  return [...groups.values()]
}
