/** Drills on Cassandra, which keeps the rows. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Drill } from '../drill.ts'
import { isDead, isFrozen } from './proofs.ts'

const NODES = { cassandra: 3 } as const

const oneKilled: Drill = {
  name: 'cassandra-one-killed',
  describe: 'three nodes, three replicas: kill -9 of one, started again 15 s later',
  nodes: NODES,
  lastsMs: 15_000,
  healsByItself: true,
  async strike({ engines: { cassandra }, struck }) {
    await cassandra.kill(1)
    struck(`${cassandra.nodes[1].name} is killed`, isDead(cassandra, 1))
  },
  mend: ({ engines: { cassandra } }) => cassandra.restart(1),
}

const oneFrozen: Drill = {
  name: 'cassandra-one-frozen',
  describe: 'three nodes, three replicas: SIGSTOP of one for at least 20 s',
  nodes: NODES,
  lastsMs: 20_000,
  healsByItself: true,
  async strike({ engines: { cassandra }, struck }) {
    cassandra.signal(1, 'SIGSTOP')
    await sleep(50)
    struck(`${cassandra.nodes[1].name} is frozen`, isFrozen(cassandra, 1))
  },
  async mend({ engines: { cassandra } }) {
    cassandra.signal(1, 'SIGCONT')
  },
}

const allDown: Drill = {
  name: 'cassandra-all-down',
  describe: 'three nodes, three replicas: all killed, started again 5 s later on their own data',
  nodes: NODES,
  lastsMs: 5_000,
  async strike({ engines: { cassandra }, struck }) {
    const all = [...cassandra.nodes.keys()]
    await Promise.all(all.map((index) => cassandra.kill(index)))
    struck(
      'all nodes of Cassandra are killed',
      all.every((index) => isDead(cassandra, index)),
    )
  },
  async mend({ engines: { cassandra } }) {
    await Promise.all([...cassandra.nodes.keys()].map((index) => cassandra.restart(index)))
  },
}

export const cassandraDrills: readonly Drill[] = [oneKilled, oneFrozen, allDown]
