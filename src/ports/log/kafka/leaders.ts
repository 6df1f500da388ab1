/** Which broker leads which partition, as a broker has reported it. */

import type { Broker } from '@platformatic/kafka'

export interface TopicState {
  readonly id: string
  readonly partitions: number
  /** Replicas of each partition; the lowest number, where they differ. */
  readonly replicas: number
  readonly brokers: number
  /** By partition; `undefined` while a partition has no leader. */
  readonly leaders: readonly (Leader | undefined)[]
}

export interface Leader extends Broker {
  readonly node: number
}

/** Groups partitions by leader, without those that have none. */
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
