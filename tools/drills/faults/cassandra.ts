/** Drills on Cassandra, which keeps the rows. */

import type { Drill } from '../drill.ts'
import { isDead } from './proofs.ts'
import { allKilled, freeze, thaw } from './strikes.ts'

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
  strike: (stage) => freeze(stage, 'cassandra', 1, stage.engines.cassandra.nodes[1].name),
  mend: ({ engines }) => thaw(engines.cassandra),
}

const allDown: Drill = {
  name: 'cassandra-all-down',
  describe: 'three nodes, three replicas: all killed, started again 5 s later on their own data',
  nodes: NODES,
  lastsMs: 5_000,
  ...allKilled('cassandra', 'Cassandra'),
}

export const cassandraDrills: readonly Drill[] = [oneKilled, oneFrozen, allDown]
